// The API's description as a page, from openapi.json.
import { el } from "./dom.js";

const METHODS = ["get", "post", "put", "delete"];

function typeOf(schema = {}) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf)
    return schema.anyOf
      .map(typeOf)
      .filter((type) => type !== "null")
      .join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type, schema.format].filter(Boolean).join(", ");
}

function fields(rows) {
  if (!rows.length) return null;
  return el(
    "table",
    {},
    el(
      "tbody",
      {},
      ...rows.map(([name, type, text]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, el("code", {}, name)),
          el("td", {}, type),
          el("td", {}, text),
        ),
      ),
    ),
  );
}

function bodyOf(operation, schemas) {
  const content = Object.entries(operation.requestBody?.content ?? {})[0];
  if (!content) return null;
  const [kind, { schema }] = content;
  const full = schema.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
  const rows = Object.entries(full.properties ?? {}).map(([name, value]) => [
    name,
    typeOf(value),
    full.required?.includes(name) ? "needed" : "",
  ]);
  return el("div", {}, el("p", { class: "quiet" }, `Body: ${kind}`), fields(rows));
}

const { paths, info, components } = await (await fetch("/openapi.json")).json();
document.getElementById("about").textContent = info.description;
for (const [path, operations] of Object.entries(paths))
  for (const method of METHODS.filter((name) => operations[name])) {
    const operation = operations[method];
    const rows = (operation.parameters ?? []).map((parameter) => [
      parameter.name,
      typeOf(parameter.schema),
      parameter.description ?? parameter.schema.description ?? "",
    ]);
    document
      .getElementById("parts")
      .append(
        el(
          "section",
          {},
          el("h2", {}, el("code", {}, `${method.toUpperCase()} ${path}`)),
          el("p", {}, `${operation.summary}. ${operation.description ?? ""}`),
          fields(rows),
          bodyOf(operation, components?.schemas ?? {}),
        ),
      );
  }
