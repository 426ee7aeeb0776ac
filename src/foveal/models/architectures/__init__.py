"""Architectures to read: one paper a file, with the shapes between the stages."""

from foveal.models.architectures.alexnet import AlexNet, AlexNet2012
from foveal.models.architectures.cifar_net import CifarNet
from foveal.models.architectures.densenet import DenseBlock, DenseLayer, DenseNet, Transition
from foveal.models.architectures.googlenet import (
    AuxiliaryClassifier,
    GoogLeNet,
    GoogLeNetOutputs,
    Inception,
)
from foveal.models.architectures.mobilenet import DepthwiseSeparable, MobileNetV1
from foveal.models.architectures.network_in_network import MlpConv, NetworkInNetwork
from foveal.models.architectures.paper import Paper
from foveal.models.architectures.resnet import BasicBlock, Bottleneck, CifarResNet, ResNet
from foveal.models.architectures.vgg import VGG

__all__ = [
    "VGG",
    "AlexNet",
    "AlexNet2012",
    "AuxiliaryClassifier",
    "BasicBlock",
    "Bottleneck",
    "CifarNet",
    "CifarResNet",
    "DenseBlock",
    "DenseLayer",
    "DenseNet",
    "DepthwiseSeparable",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception",
    "MlpConv",
    "MobileNetV1",
    "NetworkInNetwork",
    "Paper",
    "ResNet",
    "Transition",
]
