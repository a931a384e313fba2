"""Tensors in files: .safetensors written, .npy read.

Format: 8 bytes with the length of the header (little-endian), a JSON header {name: {dtype, shape, data_offsets}}, then the bytes of the
tensors in order. Source: https://github.com/huggingface/safetensors, "Format". Written here in ten lines, so that the reader of heed is
not judged by its own writer. Checked by every comparison, since all inputs go through it.
"""
import json
from pathlib import Path

import numpy
import torch
from torch import Tensor

NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}


def raw(tensor: Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    header: dict[str, object] = {}
    at = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(raw(tensor) for tensor in tensors.values()))


def read_npy(path: Path) -> Tensor:
    return torch.from_numpy(numpy.load(path, allow_pickle=False))
