// Says what is wrong with AsyncAPI documents and JSON Schemas, as JSON on standard output: by file, sentences.
//   node validate.mjs INSTALLED FILE...
// INSTALLED is the folder that has node_modules. Schemas may refer to one another by their $id.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [installed, ...paths] = process.argv.slice(2);
const require = createRequire(resolve(installed, "package.json"));
const { Parser } = require("@asyncapi/parser");
const Ajv2020 = require("ajv/dist/2020");
const addFormats = require("ajv-formats");

const SEVEREST_THAT_IS_HARMLESS = 2; // Spectral: 0 is an error, 1 a warning, 2 information, 3 a hint

function validator() {
  // Types may be missing beside `properties`: a part of `allOf` need not repeat the other's.
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  addFormats(ajv);
  // `components` is no keyword of JSON Schema: it holds what is referred to.
  return ajv.addVocabulary(["x-personal", "components"]);
}

function attempt(action) {
  try {
    return action();
  } catch (problem) {
    return [problem.message];
  }
}

async function parserProblems(parser, text) {
  const { diagnostics } = await parser.parse(text);
  return diagnostics
    .filter(({ severity }) => severity < SEVEREST_THAT_IS_HARMLESS)
    .map(({ path, message }) => `${path.join("/")}: ${message}`);
}

function exampleProblems({ components }) {
  const ajv = validator();
  ajv.addSchema({ $id: "urn:ticketflow:document", components });
  const mismatches = (name, part, value) =>
    attempt(() => {
      const check = ajv.compile({ $ref: `urn:ticketflow:document#/components/messages/${name}/${part}` });
      check(value);
      return (check.errors ?? []).map(({ instancePath, message }) => `${name} ${part}${instancePath} ${message}`);
    });
  return Object.entries(components.messages).flatMap(([name, message]) =>
    message.examples.flatMap((example) =>
      ["headers", "payload"]
        .filter((part) => part in message && part in example)
        .flatMap((part) => mismatches(name, part, example[part])),
    ),
  );
}

const parser = new Parser();
const schemas = validator();
const files = paths.map((path) => [path, readFileSync(path, "utf8")]);
const isDocument = (text) => "asyncapi" in JSON.parse(text);
const problems = {};
for (const [path, text] of files) {
  problems[path] = isDocument(text)
    ? [...(await parserProblems(parser, text)), ...attempt(() => exampleProblems(JSON.parse(text)))]
    : attempt(() => (schemas.addSchema(JSON.parse(text)), []));
}
for (const [path, text] of files.filter(([, text]) => !isDocument(text))) {
  problems[path].push(...attempt(() => (schemas.compile({ $ref: JSON.parse(text).$id }), [])));
}
console.log(JSON.stringify(problems));
