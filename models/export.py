"""A trained network to the small file that is run: ONNX with 8-bit weights. Needs the ``train`` extra."""

import json
import logging
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.scores import Array
from models.windows import Tokens

if TYPE_CHECKING:
    from models.network import Network

OPERATORS = 17  # version of ONNX's operator set
_OTHER_SCRIPTS = re.compile(r"[^\x00-\x7f\xa0-\xbf\u2000-\u22ff]")  # the tokenizer writes Latin letters without accents
_COMPUTE_IN_BYTES = 4  # ONNX Runtime's accuracy level: activations are rounded to 8 bits too, in blocks


def prune_vocabulary(source: Path, target: Path) -> list[int]:
    """Write a tokenizer without the pieces that no English note contains: unused ones and other scripts.

    Parameters
    ----------
    source, target : Path
        Files of the ``tokenizers`` library.

    Returns
    -------
    list of int
        The rows of the old vocabulary that are kept, in order.
    """
    content = json.loads(source.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    kept = [
        piece
        for piece, _ in sorted(vocabulary.items(), key=lambda item: item[1])
        if not piece.startswith("[unused") and not _OTHER_SCRIPTS.search(piece)
    ]
    content["model"]["vocab"] = {piece: row for row, piece in enumerate(kept)}
    for token in content["added_tokens"]:
        token["id"] = content["model"]["vocab"][token["content"]]
    content["post_processor"] = content["padding"] = content["truncation"] = None  # windows.py sets its own marks
    target.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return [vocabulary[piece] for piece in kept]


def export(network: "Network", path: Path) -> None:
    """Write a network whose weights are rounded (:meth:`Network.keep_rounded_weights`) as ONNX.

    The file runs one window at a time, without a mask: nothing is padded.

    Parameters
    ----------
    network : Network
        On the CPU.
    path : Path
        Of the file to write.
    """
    import onnx
    import torch
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    from models.network import BLOCK

    ids = torch.ones(1, 16, dtype=torch.long)
    axes = {1: "tokens"}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "network.onnx"
        torch.onnx.export(
            network.eval(),
            (ids,),
            str(whole),
            input_names=["ids"],
            output_names=["tokens", "note"],
            dynamic_axes={"ids": axes, "tokens": axes},
            opset_version=OPERATORS,
            dynamo=False,  # the newer exporter needs one more package and gives the same graph
        )
        settings = DefaultWeightOnlyQuantConfig(
            block_size=BLOCK, is_symmetric=True, accuracy_level=_COMPUTE_IN_BYTES, bits=8
        )
        model = onnx.load(str(whole))
        heads = [node.name for node in model.graph.node if "_head" in node.name]
        logging.getLogger("onnxruntime.quantization").setLevel(logging.WARNING)
        quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=heads, algo_config=settings)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path), use_external_data_format=False)


def refit_note_head(
    path: Path, tokens: Tokens, notes: Sequence[Sequence[str]], targets: Array, strength: float
) -> None:
    """Fit the outputs for the whole note anew, on what an exported network makes of whole notes.

    In training most notes are shown whole a few times only. Each output is a logistic regression, on all notes at once.

    Parameters
    ----------
    path : Path
        Of the exported network; it is written again.
    tokens : Tokens
    notes : sequence of sequence of str
        The segments of each note; a note of several windows takes no part.
    targets : ndarray of shape (n_notes, n_note_outputs)
        0, 1, or NaN where nothing is known.
    strength : float
        Inverse strength of regularization, of standardized features.
    """
    import onnx
    from onnx import numpy_helper
    from sklearn.linear_model import LogisticRegression

    model = onnx.load(str(path))
    last = next(node for node in model.graph.node if "note" in node.output)
    features, kept = _what_enters(last.input[0], model, tokens, notes)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled, wanted = (features - mean) / spread, targets[kept]
    weights = np.zeros((wanted.shape[1], features.shape[1]))
    intercepts = np.zeros(wanted.shape[1])
    for row, right in enumerate(wanted.T):
        known = ~np.isnan(right)
        fitted = LogisticRegression(C=strength, max_iter=1000).fit(scaled[known], right[known])
        weights[row] = fitted.coef_[0] / spread
        intercepts[row] = fitted.intercept_[0] - weights[row] @ mean
    for name, values in zip(last.input[1:], (weights, intercepts), strict=True):
        held = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        held.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
    onnx.save(model, str(path))


def _what_enters(name: str, model: Any, tokens: Tokens, notes: Sequence[Sequence[str]]) -> tuple[Array, list[int]]:
    """A tensor of the network for each note that is one window, and which notes those are."""
    import onnx
    import onnxruntime

    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(seen.SerializeToString(), providers=["CPUExecutionProvider"])
    found, kept = [], []
    for number, texts in enumerate(notes):
        windows = tokens.windows(tokens.pieces(texts))
        if len(windows) == 1:
            ids = np.array([windows[0].ids], dtype=np.int64)
            found.append(session.run([name], {"ids": ids})[0][0])
            kept.append(number)
    return np.array(found), kept


def unrounded_copy(source: Path, target: Path) -> None:
    """Copy an exported network so that it computes with whole activations: as it was trained, its weights being those.

    Parameters
    ----------
    source, target : Path
        Files of ONNX.
    """
    import onnx

    model = onnx.load(str(source))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = 0
    onnx.save(model, str(target))


def score_with_torch(network: "Network", tokens: Tokens, notes: Sequence[Sequence[str]]) -> list[Array]:
    """Score segments with the network as trained, to compare the exported one with.

    Returns
    -------
    list of ndarray of shape (n_segments, n_labels)
        Logits, one array a note.
    """
    import torch

    found = []
    with torch.inference_mode():
        for texts in notes:
            pieces = tokens.pieces(texts)
            scores = np.zeros((len(pieces), network.segment_head.out_features), dtype=np.float32)
            for window in tokens.windows(pieces):
                by_token = network(torch.tensor([window.ids]))[0][0].numpy()
                for segment, first, end in window.spans:
                    scores[segment] = by_token[first:end].mean(axis=0)
            found.append(scores)
    return found
