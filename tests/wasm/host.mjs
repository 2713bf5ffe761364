// Is a host that knows no JavaScript but gives random bytes: node host.mjs MODULE
import { readFile } from "node:fs/promises";
import { webcrypto } from "node:crypto";

let memory;
const host = {
  random: (to, length) => webcrypto.getRandomValues(new Uint8Array(memory.buffer, to, length)),
};
const module = await WebAssembly.compile(await readFile(process.argv[2]));
const needed = WebAssembly.Module.imports(module).filter(({ module }) => module !== "host");
if (needed.length > 0) throw new Error(`it needs more of its host: ${JSON.stringify(needed)}`);
const { exports } = await WebAssembly.instantiate(module, { host });
memory = exports.memory;
if (exports.roundtrip() !== 0) throw new Error("the example fails");
console.log("1 passed, 0 failed");
