#include "scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "memory.hpp"
#include "plan/choice.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

using base::kTile;
using formula::Verdict;

constexpr std::int64_t kSampled = 1024;
constexpr double kMostOpen = 40'000;  // tiles that planning may have to look at: each costs up to 0.1 ms

/// True everywhere, and its bounds say so at once; it speaks of q, so that it needs the same alignment as any mask.
Expr everywhere_by_position() {
  return parse("q >= -2000000000000000000");
}

}  // namespace

std::uint64_t scrambled(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

Scene::Scene(const Problem& problem) : problem_(problem), mask_(formula::Formula::mask(problem.mask, problem.tables)), over_(mask_) {
  asking_for("the tiles of the mask");
  const Progress progress("finding the tiles", 0);
  if (mask_.tables().empty() && tiles() > kMostOpen) {
    Problem alone = problem_;
    alone.mask = mask_.mentions(formula::Op::kQuery) ? everywhere_by_position() : Expr{};
    plan_ = std::make_unique<Plan>(alone);
    const Sample found = sample(false);
    const bool many = static_cast<double>(found.open) / static_cast<double>(found.total()) * tiles() > kMostOpen;
    sampled_ = many && over_.interval(layout().everything()).valued();
  }
  if (!sampled_) plan_ = std::make_unique<Plan>(problem_);
}

const problem::Layout& Scene::layout() const {
  return inside(*plan_).question.layout;
}

double Scene::tiles() const {
  const auto along = [](std::int64_t places) { return static_cast<double>((places + kTile - 1) / kTile); };
  return static_cast<double>(problem_.batch) * static_cast<double>(problem_.heads) * along(problem_.queries) * along(problem_.keys);
}

Scene::Sample Scene::sample(bool look) const {
  const problem::Layout& all = layout();
  Sample found;
  for (std::int64_t n = 0; n < kSampled; ++n) {
    const auto draw = [&, at = static_cast<std::uint64_t>(n) * 4](std::uint64_t which, std::int64_t count) {
      return static_cast<std::int64_t>(scrambled(at + which) % static_cast<std::uint64_t>(count));
    };
    const std::int64_t q = draw(0, all.query_tiles()) * kTile, k = draw(1, all.key_tiles()) * kTile;
    const formula::Box box =
        all.box(draw(2, all.batch), draw(3, all.heads), {q, std::min(q + kTile, all.queries) - 1}, {k, std::min(k + kTile, all.keys) - 1});
    const Verdict verdict = over_.verdict(box);
    const bool open = verdict == Verdict::kPartial, seen = !open || !look || seen_in(box);
    found.open += open;
    (verdict == Verdict::kFull ? found.full : verdict == Verdict::kEmpty || !seen ? found.empty : found.partial) += 1;
  }
  return found;
}

bool Scene::seen_in(const formula::Box& box) const {
  std::vector<formula::Value> values(mask_.steps().size());
  for (std::int64_t q = box.q.first; q <= box.q.last; ++q) {
    for (std::int64_t k = box.k.first; k <= box.k.last; ++k) {
      const formula::Place place{
          .q = q, .k = k, .b = box.b.first, .h = box.h.first, .g = box.g.first, .i = box.i.first + (q - box.q.first)};
      if (mask_.at(place, values).integer != 0) return true;
    }
  }
  return false;
}

std::string Scene::tiles_text() const {
  if (!sampled_) {
    const TileCounts& tiles = plan_->tiles();
    return fmt::format("{} tiles of 64 x 64: {} empty, {} partial, {} full\n", count_text(tiles.total()), count_text(tiles.empty),
                       count_text(tiles.partial), count_text(tiles.full));
  }
  const Progress progress("looking at tiles", 0);
  const Sample found = sample(true);
  const auto share = [&](std::int64_t count) { return percent_text(static_cast<double>(count) / static_cast<double>(found.total())); };
  return fmt::format("{} tiles of 64 x 64; of a sample of {}: {} empty, {} partial, {} full\n",
                     count_text(static_cast<std::int64_t>(tiles())), count_text(found.total()), share(found.empty), share(found.partial),
                     share(found.full));
}

}  // namespace heed::tool
