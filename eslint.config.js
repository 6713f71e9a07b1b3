// What tsc knows better (undefined names) is left to it.
import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    rules: {
      "no-undef": "off",
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      complexity: ["error", 12],
      "max-lines": ["error", { max: 350 }],
      "max-len": ["error", { code: 100, ignoreUrls: true }],
      "no-shadow": "off",
    },
  },
];
