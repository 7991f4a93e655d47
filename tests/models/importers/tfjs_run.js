// Runs TF.js graph models: node tfjs_run.js FOLDER_OF_TFJS BACKEND JOBS.json
// A job: {model, inputs: [files of float32], shape, outputs: [names], to: [[file of float32 an output] an input]}.
"use strict";
const fs = require("fs");
const path = require("path");

const [home, backend, jobs] = process.argv.slice(2);
const find = (name) => require(require.resolve(name, { paths: [home] }));
console.warn = () => {};
const tf = find("@tensorflow/tfjs");

function artifacts(file) {
  const model = JSON.parse(fs.readFileSync(file, "utf8"));
  const paths = model.weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(paths.map((name) => fs.readFileSync(path.join(path.dirname(file), name))));
  return {
    ...model,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  };
}

function floats(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function main() {
  if (backend === "wasm") {
    const wasm = find("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(path.join(home, "node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/"));
    wasm.setThreadsCount(1);
  }
  await tf.setBackend(backend);
  await tf.ready();
  for (const job of JSON.parse(fs.readFileSync(jobs, "utf8"))) {
    const loaded = await tf.loadGraphModel({ load: async () => artifacts(job.model) });
    const source = loaded.inputs[0];
    for (let row = 0; row < job.inputs.length; row++) {
      const picture = tf.tensor(floats(job.inputs[row]), job.shape, "float32").cast(source.dtype);
      const made = loaded.execute({ [source.name]: picture }, job.outputs);
      const each = Array.isArray(made) ? made : [made];
      each.forEach((tensor, i) => {
        fs.writeFileSync(job.to[row][i], Buffer.from(Float32Array.from(tensor.dataSync()).buffer));
        fs.writeFileSync(job.to[row][i] + ".json", JSON.stringify(tensor.shape));
      });
      tf.dispose([picture, ...each]);
    }
    loaded.dispose();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
