// The API's description as a page, from openapi.json.
import { byId, el } from "./dom.js";

/**
 * A JSON Schema, as far as the page of the API shows it.
 *
 * @typedef {object} Schema
 * @property {string} [$ref]
 * @property {Schema[]} [anyOf]
 * @property {string[]} [enum]
 * @property {string} [type]
 * @property {string} [format]
 * @property {string} [description]
 * @property {Schema} [items]
 * @property {Record<string, Schema>} [properties]
 * @property {string[]} [required]
 */
/**
 * @typedef {object} Operation
 * @property {string} summary
 * @property {string} [description]
 * @property {{name: string, description?: string, schema: Schema}[]} [parameters]
 * @property {{content: Record<string, {schema: Schema}>}} [requestBody]
 */

const METHODS = ["get", "post", "put", "delete"];

/** The last word of a reference: "Track" of "#/components/schemas/Track". @param {string} ref */
const lastOf = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

/** @param {Schema} [schema] @returns {string} in words */
function typeOf(schema = {}) {
  if (schema.$ref) return lastOf(schema.$ref);
  if (schema.anyOf)
    return schema.anyOf
      .map(typeOf)
      .filter((type) => type !== "null")
      .join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type, schema.format].filter(Boolean).join(", ");
}

/** A table of names, types and words. @param {string[][]} rows */
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

/** What a request takes. @param {Operation} operation @param {Record<string, Schema>} schemas */
function bodyOf(operation, schemas) {
  const content = Object.entries(operation.requestBody?.content ?? {})[0];
  if (!content) return null;
  const [kind, { schema }] = content;
  const full = schema.$ref ? schemas[lastOf(schema.$ref)] : schema;
  const rows = Object.entries(full.properties ?? {}).map(([name, value]) => [
    name,
    typeOf(value),
    full.required?.includes(name) ? "needed" : "",
  ]);
  return el("div", {}, el("p", { class: "quiet" }, `Body: ${kind}`), fields(rows));
}

const { paths, info, components } = await (await fetch("/openapi.json")).json();
byId("about").textContent = info.description;
/** @type {[string, Record<string, Operation>][]} */
const all = Object.entries(paths);
for (const [path, operations] of all)
  for (const method of METHODS.filter((name) => operations[name])) {
    const operation = operations[method];
    const rows = (operation.parameters ?? []).map((parameter) => [
      parameter.name,
      typeOf(parameter.schema),
      parameter.description ?? parameter.schema.description ?? "",
    ]);
    byId("parts").append(
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
