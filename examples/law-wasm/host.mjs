// Runs the law's module: `node host.mjs MODULE.wasm`. Standard input is lines such as `begin {"kind": …}`,
// `take {"at_ms": …}` and `simulate {…}`; standard output has the module's answer to each.
import { readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const law = instance.exports;
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const space = line.indexOf(" ");
  const bytes = encoder.encode(line.slice(space + 1));
  const room = law.room(bytes.length);
  // Memory may have grown, so a view of it lives for one call.
  new Uint8Array(law.memory.buffer, room, bytes.length).set(bytes);
  const length = law[line.slice(0, space)]();
  const answer = decoder.decode(new Uint8Array(law.memory.buffer, law.answer(), length));
  writeAll(answer + "\n");
}

function writeAll(text) {
  for (let rest = encoder.encode(text); 0 < rest.length; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // A full pipe: whoever reads it will.
      if (error.code !== "EAGAIN") throw error;
    }
  }
}
