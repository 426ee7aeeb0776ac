import json
import sys

import numpy
import onnxruntime

sys.path.insert(0, "preparation.zip")
from preparation.images import Preprocessing

about = json.load(open("about.json", encoding="utf-8"))
session = onnxruntime.InferenceSession("model.onnx")
preprocessing = Preprocessing.from_json(about["preprocessing"])
images = numpy.stack([preprocessing.apply(file) for file in sys.argv[1:]])
for row in session.run(["probabilities"], {"images": images})[0]:
    print(json.dumps(dict(zip(about["class_names"], row.tolist()))))
