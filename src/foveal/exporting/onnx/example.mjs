import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

const about = JSON.parse(await readFile("about.json", "utf8"));
const { height_px: height, width_px: width, mean, std } = about;
const session = await ort.InferenceSession.create(await readFile("model.onnx"));
const rgb = await readFile(process.argv[2]); // the image at this size: red, green, blue, row by row
const at = (i) => [Math.floor(i / (height * width)), i % (height * width)];
const value = ([channel, place]) => (rgb[3 * place + channel] / 255 - mean[channel]) / std[channel];
const images = Float32Array.from({ length: 3 * height * width }, (_, i) => value(at(i)));
const feeds = { images: new ort.Tensor("float32", images, [1, 3, height, width]) };
const { probabilities } = await session.run(feeds, ["probabilities"]);
console.log(JSON.stringify(Object.fromEntries(about.class_names.map((name, k) => [name, probabilities.data[k]]))));
