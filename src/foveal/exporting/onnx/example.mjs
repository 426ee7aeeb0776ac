import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { prepare } from "./preparation.mjs";

const about = JSON.parse(await readFile("about.json", "utf8"));
const { height_px: height, width_px: width } = about;
const session = await ort.InferenceSession.create(await readFile("model.onnx"));
const images = await prepare(await readFile(process.argv[2]), about.preprocessing);
const feeds = { images: new ort.Tensor("float32", images, [1, 3, height, width]) };
const { probabilities } = await session.run(feeds, ["probabilities"]);
console.log(JSON.stringify(Object.fromEntries(about.class_names.map((name, k) => [name, probabilities.data[k]]))));
