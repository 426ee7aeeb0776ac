"""PyTorch's words for operations, and the kind that each one is.

A function that is in none of these tables has kind ``"other"``: what it costs and what it
mixes is then unknown, and every figure says so.
"""

from __future__ import annotations

from collections.abc import Callable

from foveal.graph.graph import Kind


def words(text: str) -> frozenset[str]:
    """Returns the words of ``text``.

    >>> sorted(words("view reshape"))
    ['reshape', 'view']
    """
    return frozenset(text.split())


_NAMES_BY_KIND: dict[Kind, str] = {
    "conv": "conv1d conv2d conv3d",
    "conv_transpose": "conv_transpose1d conv_transpose2d conv_transpose3d",
    "deform_conv": "torchvision::deform_conv2d",
    "linear": "linear",
    "matmul": (
        "matmul rmatmul bmm mm mv einsum addmm baddbmm addbmm bilinear dot vdot inner tensordot "
        "chain_matmul linalg_multi_dot addmv"
    ),
    "recurrent": "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
    "fft": (
        "fft_fft fft_ifft fft_rfft fft_irfft fft_hfft fft_ihfft fft_fft2 fft_ifft2 fft_rfft2 "
        "fft_irfft2 fft_fftn fft_ifftn fft_rfftn fft_irfftn"
    ),
    "attention": "scaled_dot_product_attention multi_head_attention_forward",
    "batch_norm": "batch_norm",
    "layer_norm": "layer_norm",
    "group_norm": "group_norm",
    "instance_norm": "instance_norm",
    "norm": "rms_norm local_response_norm normalize",
    "activation": (
        "relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid tanh hardswish hardsigmoid "
        "hardtanh softplus softsign softshrink hardshrink tanhshrink threshold prelu rrelu glu "
        "logsigmoid log_sigmoid"
    ),
    "softmax": "softmax log_softmax softmin gumbel_softmax",
    "dropout": (
        "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout"
    ),
    "max_pool": "max_pool1d max_pool2d max_pool3d lp_pool1d lp_pool2d",
    "max_unpool": "max_unpool1d max_unpool2d max_unpool3d",
    "grid_sample": "grid_sample affine_grid",
    "avg_pool": "avg_pool1d avg_pool2d avg_pool3d",
    "adaptive_pool": (
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
        "adaptive_max_pool2d adaptive_max_pool3d"
    ),
    "add": "add addcmul addcdiv lerp",
    "sub": "sub rsub subtract",
    "mul": "mul multiply",
    "div": "div divide true_divide floor_divide",
    "concat": "cat concat concatenate hstack vstack dstack",
    "stack": "stack",
    "split": "split chunk unbind tensor_split split_with_sizes",
    "slice": "getitem narrow select index_select gather take_along_dim diagonal triu tril",
    "flatten": "flatten",
    "reshape": "view reshape view_as reshape_as unflatten squeeze unsqueeze ravel unsafe_view",
    "permute": "permute transpose movedim moveaxis swapaxes swapdims t T mT H mH adjoint",
    "expand": "expand expand_as broadcast_to repeat tile repeat_interleave broadcast_tensors",
    "roll": "roll flip fliplr flipud rot90",
    "pad": "pad",
    "interpolate": "interpolate upsample upsample_nearest upsample_bilinear",
    "pixel_shuffle": "pixel_shuffle pixel_unshuffle channel_shuffle",
    "unfold": "unfold fold",
    "reduce": (
        "mean sum amax amin max min std var std_mean var_mean norm vector_norm prod logsumexp "
        "all any argmax argmin aminmax median topk sort cumsum cumprod argsort kthvalue nansum "
        "nanmean cosine_similarity count_nonzero logcumsumexp cummax cummin"
    ),
    "elementwise": (
        "pow square sqrt rsqrt exp expm1 log log1p log2 sin cos abs neg negative reciprocal clamp "
        "clip clamp_min clamp_max round floor ceil sign erf where masked_fill maximum "
        "minimum fmod remainder logical_not logical_and logical_or invert and or xor eq ne lt le "
        "gt ge bernoulli zeros_like ones_like full_like rand_like randn_like empty_like new_zeros "
        "new_ones new_empty new_full new_tensor fill zero uniform normal isnan isinf isfinite "
        "nan_to_num atan2 positive sinc complex polar angle conj conj_physical imag tan asin acos "
        "atan sinh cosh asinh acosh atanh exp2 erfc erfinv frac trunc logit logaddexp xlogy hypot "
        "heaviside sgn copysign lgamma digamma bitwise_and bitwise_or bitwise_xor bitwise_not "
        "arctan arctan2 fix i0 float_power"
    ),
    "copy": (
        "contiguous clone to float half double bfloat16 long int bool type type_as cpu cuda alias "
        "detach data real view_as_real view_as_complex identity resolve_conj"
    ),
    "assign": (
        "setitem copy fill_diagonal masked_scatter index_copy index_add scatter scatter_add "
        "index_put"
    ),
    "embedding": "embedding embedding_bag",
}

KIND_BY_NAME: dict[str, Kind] = {
    name: kind for kind, names in _NAMES_BY_KIND.items() for name in names.split()
}

# These turn values into Python's numbers or into shapes, so that what the network does next
# depends on the image.
READS_VALUES = words(
    "item tolist numpy to_bool to_int to_float to_index to_complex to_array nonzero unique "
    "unique_consecutive masked_select is_nonzero equal allclose argwhere bincount unique_dim "
    "contains"
)

# Questions about a tensor that no operation answers: nothing is recorded.
ASKS_ABOUT = words(
    "dim size numel nelement ndimension stride storage_offset is_contiguous is_floating_point "
    "is_complex is_signed get_device element_size len is_same_size has_names data_ptr "
    "untyped_storage hash format repr is_inference is_conj is_neg result_type can_cast "
    "promote_types is_tensor is_shared is_pinned is_set_to register_hook retain_grad "
    "requires_grad requires_grad_ dim_order _is_view str"
)

DIFFERENTIATES = words("grad backward")

FACTORIES = words(
    "zeros ones empty full rand randn randint randperm arange linspace logspace eye tensor "
    "as_tensor scalar_tensor tril_indices triu_indices asarray from_numpy hann_window "
    "hamming_window bartlett_window blackman_window empty_strided sparse_coo_tensor"
)

_SPELLINGS = {
    "__truediv__": "div",
    "__rtruediv__": "div",
    "__itruediv__": "div",
    "__idiv__": "div",
    "__div__": "div",
    "__rdiv__": "div",
    "__floordiv__": "floor_divide",
    "__rfloordiv__": "floor_divide",
    "__mod__": "remainder",
    "__rmod__": "remainder",
    "__rsub__": "rsub",
    "__imod__": "remainder",
    "__iter__": "unbind",
    "__reversed__": "flip",
    "__deepcopy__": "clone",
    # These begin with an i or r of their own.
    "__invert__": "invert",
    "__rmatmul__": "rmatmul",
    # Not the methods of nearly the same name, which only change the type.
    "__bool__": "to_bool",
    "__int__": "to_int",
    "__float__": "to_float",
    "__index__": "to_index",
    "__complex__": "to_complex",
    "__array__": "to_array",
    "__repr__": "repr",
}


def function_name(function: Callable[..., object]) -> str:
    """Returns PyTorch's plain word for a function, method, operator or aten overload.

    In-place and operator spellings fall together: ``torch.add``, ``Tensor.add_``,
    ``Tensor.__iadd__`` and ``torch.ops.aten.add.Tensor`` are all ``"add"``. What does not
    come from PyTorch keeps its module in the name, and so is in no table.
    """
    packet = getattr(function, "_qualified_op_name", None)
    if packet is None:
        schema = getattr(function, "_schema", None)
        packet = schema.name if schema is not None else None
    if packet is not None:
        namespace, _, name = str(packet).partition("::")
        name = name.partition(".")[0]
        return _plain(name) if namespace == "aten" else f"{namespace}::{name}"
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", None)
    if module is not None and module.partition(".")[0] not in {"torch", "builtins", "_operator"}:
        return f"{module}.{name}"
    return _plain(name)


def _plain(name: str) -> str:
    if name in _SPELLINGS:
        return _SPELLINGS[name]
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        if bare in KIND_BY_NAME or bare in READS_VALUES or bare in ASKS_ABOUT:
            return bare
        return bare[1:] if bare[:1] in {"i", "r"} and bare[1:] in KIND_BY_NAME else bare
    if name.endswith("_") and not name.startswith("_"):
        return name.rstrip("_")
    name = name.removesuffix("_with_indices")
    if name in {"_softmax", "_log_softmax", "_unsafe_view"}:
        return name[1:]
    return name
