// The table of memories, and their reader. Dense and ragged differ in where a batch entry or sequence begins, which problem::Places says.
#include "memory/memory.hpp"

namespace heed::memory {
namespace {

std::size_t nothing(const problem::Question&) {
  return 0;
}
base::Rows in_place(const problem::Placed& side, const TileOf& of, void*) {
  return side.rows(of.b, of.g).from(of.tile * kTile);
}

constexpr Memory kMemories[] = {
    {.name = "dense", .tile_bytes = nothing, .rows = in_place},
    {.name = "ragged", .tile_bytes = nothing, .rows = in_place},
};

}  // namespace

std::span<const Memory> memories() {
  return kMemories;
}

const Memory& memory_of(const problem::Question& question) {
  return kMemories[question.layout.ragged() ? 1 : 0];
}

KeyTiles::KeyTiles(const problem::Question& question, const Held& held, base::Arena& arena, std::int64_t places)
    : question_(question), held_(held), memory_(memory_of(question)), places_(places), bytes_(memory_.tile_bytes(question)) {
  if (bytes_ == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(places) * bytes_;
  key_buffer_ = arena.take<std::byte>(bytes);
  value_buffer_ = arena.take<std::byte>(bytes);
}

void KeyTiles::bind(std::int64_t b, std::int64_t g) {
  b_ = b;
  g_ = g;
  if (key_buffer_ != nullptr) return;
  keys_ = memory_.rows(held_.k, {b, g, 0, count(0)}, nullptr);
  if (held_.v.tensor.given()) values_ = memory_.rows(held_.v, {b, g, 0, count(0)}, nullptr);
}

}  // namespace heed::memory
