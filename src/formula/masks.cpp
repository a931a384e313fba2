// Named masks: each who-sees-whom of the literature as one function, and its row in the table that parser, catalogue and tests read.
//
// A mask is a boolean formula over positions q and k (and b, h); no mask knows Tq or Tk. The forms are chosen so that interval
// arithmetic decides them exactly (each difference once, no sum that could overflow) and so that the text reads like the definition.
// Literal arguments that make no sense (window(0)) are refused here; lookups are not known yet and pass.
// Each function states its formula and its source. Checked by masks_test.cpp against loops written from the papers.
#include <heed/error.hpp>
#include <heed/masks.hpp>

#include "formula/literals.hpp"
#include "formula/named.hpp"

namespace heed {
namespace {

using formula::Argument;
using formula::integer_literal;
using formula::Named;
using formula::NamedTable;
using formula::refuse;
using formula::require_at_least;
using namespace symbols;

// Names a table after its content: two calls with different offsets need two names, two equal ones may share theirs.
std::string content_name(std::string_view stem, const std::vector<std::int64_t>& content) {
  std::uint32_t hash = 2166136261u;  // FNV-1a over the 64-bit values, byte by byte
  for (const std::int64_t value : content) {
    for (int shift = 0; shift < 64; shift += 8) hash = (hash ^ static_cast<std::uint32_t>((value >> shift) & 0xff)) * 16777619u;
  }
  std::string name = std::string(stem) + "_";
  for (int shift = 28; shift >= 0; shift -= 4) name += "0123456789abcdef"[(hash >> shift) & 0xf];
  return name;
}

std::vector<std::int64_t> read_offsets(const TensorView& offsets) {
  const std::string ascending = "ascending positions from 0, one more than documents";
  if (offsets.shape.rank() != 1 || offsets.shape[0] < 1 || is_real(offsets.dtype) || offsets.dtype == DType::kBool) {
    refuse("documents", "offsets is no integer table of rank 1", ascending,
           std::string(name_of(offsets.dtype)) + " " + to_text(offsets.shape));
  }
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < offsets.shape[0]; ++i) {
    const std::int64_t value = integer_at(offsets, i * offsets.strides[0]);
    const std::int64_t least = values.empty() ? 0 : values.back();
    if (value < least || (values.empty() && value != 0)) {
      refuse("documents", values.empty() ? "offsets does not start at 0" : "offsets descends", ascending,
             "offsets[" + std::to_string(i) + "] = " + std::to_string(value));
    }
    values.push_back(value);
  }
  return values;
}

// [offsets.last]: the document of each position.
Tensor document_of_position(const std::vector<std::int64_t>& offsets) {
  Tensor document(DType::kI32, {offsets.back()});
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    for (std::int64_t position = offsets[i]; position < offsets[i + 1]; ++position)
      document.data<std::int32_t>()[position] = static_cast<std::int32_t>(i);
  }
  return document;
}

}  // namespace

/// true. Vaswani et al. 2017, section 3.1: the encoder, and cross attention.
Expr full() {
  return true;
}

/// k <= q. Vaswani et al. 2017, section 3.2.3: the decoder.
Expr causal() {
  return k <= q;
}

/// k <= q & q - k < w: w keys, the query's own among them (the w of Mistral's and transformers' sliding_window; flash-attention's
/// left window is w - 1). Jiang et al. 2023, Mistral 7B, section 2; Beltagy et al. 2020.
Expr window(const Expr& w) {
  require_at_least(1, w, "window", "w");
  return (k <= q) & (q - k < w);
}

/// q - k <= left & k - q <= right. No number means "unbounded" (-1 does in flash-attention and ONNX): leave the comparison out.
/// Beltagy et al. 2020, section 3.1.
Expr window(const Expr& left, const Expr& right) {
  require_at_least(0, left, "window", "left");
  require_at_least(0, right, "window", "right");
  return (q - k <= left) & (k - q <= right);
}

/// k <= q | k < n. Raffel et al. 2020 (T5), section 3.2.1 and figure 4; Dong et al. 2019 (UniLM).
Expr prefix(const Expr& n) {
  require_at_least(0, n, "prefix", "n");
  return (k <= q) | (k < n);
}

/// k < n. Padding behind the first n keys.
Expr lengths(const Expr& n) {
  require_at_least(0, n, "lengths", "n");
  return k < n;
}

/// k < dense(n, b), table n [B].
Expr lengths(const Table& n) {
  return lengths(n.fitted({b}));
}

/// 0 <= q & q < n & k < n & document[q] == document[k], n = offsets.last. Keys count from 0, queries may not (alignment), and the
/// comparisons before the lookups decide wherever a lookup has no value. Krell et al. 2021, Efficient Sequence Packing without
/// Cross-contamination.
Expr documents(const TensorView& offsets) {
  const std::vector<std::int64_t> values = read_offsets(offsets);
  const std::int64_t n = values.back();
  if (n == 0) return false;
  const Table document(content_name("document", values), document_of_position(values));
  return (0 <= q) & (q < n) & (k < n) & (document[q] == document[k]);
}

/// k <= q & q / n == k / n, / rounding down. Meta 2025, Llama 4 (its local layers); transformers' chunked_overlay.
Expr chunked(const Expr& n) {
  require_at_least(1, n, "chunked", "n");
  return (k <= q) & (q / n == k / n);
}

/// k <= q & (k < n | q - k < w). Positions are those of the text, not of a cache that closed the gap. Xiao et al. 2024,
/// Efficient Streaming Language Models with Attention Sinks (StreamingLLM), section 3.
Expr streaming(const Expr& n, const Expr& w) {
  require_at_least(0, n, "streaming", "n");
  require_at_least(1, w, "streaming", "w");
  return (k <= q) & ((k < n) | (q - k < w));
}

/// k <= q & (q - k) / step < w & (q - k) % step == 0: w keys, each step back from the one before, the query's own first. No product of
/// w and step, which could overflow. Beltagy et al. 2020 (Longformer), section 3.1, dilated sliding window, in its causal form.
Expr dilated(const Expr& w, const Expr& step) {
  require_at_least(1, w, "dilated", "w");
  require_at_least(1, step, "dilated", "step");
  return (k <= q) & ((q - k) / step < w) & ((q - k) % step == 0);
}

/// abs(q - k) <= w / 2 | dense(global, q) | global[k], w even: global has one element for each position. The paper's separate projections
/// of the global rows are a second attention, not a mask. Beltagy et al. 2020 (Longformer), section 3.1.
Expr longformer(const Expr& w, const Table& global) {
  require_at_least(0, w, "longformer", "w");
  const auto width = integer_literal(w);
  if (width && *width % 2 != 0) refuse("longformer", "w is odd", "an even number, half of it to either side", std::to_string(*width));
  const Expr side = width ? Expr(*width / 2) : w / 2;
  return (abs(q - k) <= side) | global.fitted({q}) | global[k];
}

/// table[b, h, i, k] with the leading axes that it has, each the problem's or 1, which broadcasts.
Expr dense(const Table& table, const Dims& shape) {
  return formula::dense_by_rank("dense", table, shape);
}

/// table[b, k], likewise.
Expr padding(const Table& table) {
  return table.fitted({b, k});
}

namespace formula {
namespace {

NamedTable boolean_table(const Argument& argument, std::string_view call, std::string_view parameter) {
  NamedTable table = table_argument(argument, call, parameter);
  if (table.view.dtype != DType::kBool) {
    refuse(call, std::string(parameter) + " is not boolean", "a boolean table",
           "`" + table.name + "` of " + std::string(name_of(table.view.dtype)));
  }
  return table;
}

}  // namespace

std::span<const Named> named_masks() {
  using Args = std::span<const Argument>;
  static const std::vector<Named> rows{
      {"mask", "full", {}, "Everyone sees everyone.", "Vaswani et al. 2017, 3.1", "full", [](Args) { return full(); }},
      {"mask",
       "causal",
       {},
       "A query sees its own position and what came before.",
       "Vaswani et al. 2017, 3.2.3",
       "causal",
       [](Args) { return causal(); }},
      {"mask",
       "window",
       {"w"},
       "The last w keys, the query's own among them.",
       "Jiang et al. 2023 (Mistral 7B), 2",
       "window(16)",
       [](Args a) { return window(expression_argument(a[0], "window", "w")); }},
      {"mask",
       "window",
       {"left", "right"},
       "From left keys back to right keys ahead.",
       "Beltagy et al. 2020 (Longformer), 3.1",
       "window(8, 4)",
       [](Args a) { return window(expression_argument(a[0], "window", "left"), expression_argument(a[1], "window", "right")); }},
      {"mask",
       "prefix",
       {"n"},
       "Causal, but everyone sees the first n keys.",
       "Raffel et al. 2020 (T5), 3.2.1",
       "prefix(16)",
       [](Args a) { return prefix(expression_argument(a[0], "prefix", "n")); }},
      {"mask",
       "lengths",
       {"n"},
       "Only the first n keys exist: padding is not seen. A table [B], or a number.",
       "padded batches",
       "lengths(length)",
       [](Args a) {
         if (const auto* table = std::get_if<NamedTable>(&a[0])) return lengths(Table(table->name));
         return lengths(expression_argument(a[0], "lengths", "n"));
       }},
      {"mask",
       "padding",
       {"mask"},
       "A boolean table [B, Tk]: the keys of each batch entry that are seen.",
       "padded batches",
       "padding(valid)",
       [](Args a) { return padding(Table(boolean_table(a[0], "padding", "mask").name)); }},
      {"mask",
       "documents",
       {"offsets"},
       "Packed documents: query and key lie in the same one.",
       "Krell et al. 2021, 3",
       "documents(offsets)",
       [](Args a) { return documents(table_argument(a[0], "documents", "offsets").view); }},
      {"mask",
       "chunked",
       {"n"},
       "Causal within chunks of n positions.",
       "Meta 2025 (Llama 4)",
       "chunked(16)",
       [](Args a) { return chunked(expression_argument(a[0], "chunked", "n")); }},
      {"mask",
       "streaming",
       {"n", "w"},
       "The first n keys (attention sinks) and the last w, causal.",
       "Xiao et al. 2024 (StreamingLLM), 3",
       "streaming(4, 16)",
       [](Args a) { return streaming(expression_argument(a[0], "streaming", "n"), expression_argument(a[1], "streaming", "w")); }},
      {"mask",
       "dilated",
       {"w", "step"},
       "Every step-th key back from the query, w of them, its own among them.",
       "Beltagy et al. 2020 (Longformer), 3.1",
       "dilated(8, 3)",
       [](Args a) { return dilated(expression_argument(a[0], "dilated", "w"), expression_argument(a[1], "dilated", "step")); }},
      {"mask",
       "longformer",
       {"w", "global"},
       "A window of w / 2 keys to either side, and global positions that see and are seen by all.",
       "Beltagy et al. 2020 (Longformer), 3.1",
       "longformer(16, global)",
       [](Args a) {
         return longformer(expression_argument(a[0], "longformer", "w"), Table(boolean_table(a[1], "longformer", "global").name));
       }},
      {"mask",
       "dense",
       {"table"},
       "The lookup [i, k], [h, i, k] or [b, h, i, k] of a table, each extent the problem's or 1, which broadcasts.",
       "ONNX Attention-23, attn_mask",
       "dense(seen)",
       [](Args a) {
         const NamedTable table = table_argument(a[0], "dense", "table");
         return dense(Table(table.name), table.view.shape);
       }},
      {"mask",
       "dense",
       {"table", "axis", "..."},
       "The lookup of a table along the axes said, of b h g i k, each extent the problem's or 1, which broadcasts.",
       "ONNX Attention-23, attn_mask",
       "dense(block, b, i, k)",
       [](Args a) {
         return Table(table_argument(a[0], "dense", "table").name).fitted(expression_arguments(a.subspan(1), "dense", "axis"));
       }},
  };
  return rows;
}

}  // namespace formula
}  // namespace heed
