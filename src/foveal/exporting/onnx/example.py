import json
import sys

import numpy
import onnxruntime
from PIL import Image

about = json.load(open("about.json", encoding="utf-8"))
height, width = about["height_px"], about["width_px"]
session = onnxruntime.InferenceSession("model.onnx")
resampling = Image.Resampling[about["interpolation"].upper()]
image = Image.open(sys.argv[1]).convert("RGB").resize((width, height), resampling)
values = (numpy.asarray(image) / 255 - about["mean"]) / about["std"]
images = values.transpose(2, 0, 1)[None].astype("float32")
probabilities = session.run(["probabilities"], {"images": images})[0][0]
print(json.dumps(dict(zip(about["class_names"], probabilities.tolist()))))
