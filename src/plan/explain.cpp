// explain: the plan in words, a line per fact.
#include <sstream>

#include <heed/units.hpp>

#include "plan/choice.hpp"

namespace heed::plan {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

std::string align_text(const Align& align) {
  switch (align.kind) {
    case Align::Kind::kStart:
      return "start";
    case Align::Kind::kEnd:
      return "end";
    case Align::Kind::kOffsets:
      break;
    case Align::Kind::kNone:
      return "";
  }
  std::string text = "offsets";
  for (const std::int64_t offset : align.offsets) text += " " + std::to_string(offset);
  return text;
}

}  // namespace

std::string explain(const Plan& plan) {
  const problem::Question& question = inside(plan).question;
  const Problem& problem = question.problem;
  const TileCounts& tiles = plan.tiles();
  std::ostringstream text;
  const plan::Planned& planned = inside(plan);
  text << "problem   " << (question.layout.ragged() ? "sequences " : "B ") << problem.batch << ", Hq " << problem.heads << ", Hkv "
       << problem.kv_heads << ", Tq " << problem.queries << ", Tk " << problem.keys << ", D " << problem.dim << ", Dv " << problem.value_dim
       << ", " << name_of(problem.dtype) << ", scale " << question.scale << "\n";
  if (question.layout.ragged())
    text << "packed    " << problem.query_offsets.back() << " queries and " << problem.key_offsets.back()
         << " keys in all; Tq and Tk are those of the longest sequence\n";
  text << "mask      " << (problem.mask.empty() ? "full" : to_text(problem.mask)) << "\n";
  for (const Expr& score : problem.scores) text << "score     " << to_text(score) << "\n";
  if (problem.sink.given()) text << "sink      a logit per query head, in the start state\n";
  if (problem.align.kind != Align::Kind::kNone) text << "align     " << align_text(problem.align) << "\n";
  if (!question.formulas.score_program.wide_score().empty())
    text << "note      the score runs in double lanes: " << question.formulas.score_program.wide_score() << "\n";
  for (const Part& part : planned.parts) {
    text << "kernel    " << part.choice.kernel->name << ", ";
    if (planned.parts.size() > 1)
      text << "for " << part.group.sequences.size() << (part.group.sequences.size() == 1 ? " sequence of " : " sequences of ")
           << (part.group.queries <= kFewQueries ? "at most " : "more than ") << kFewQueries << " queries, ";
    text << plan.threads() << (plan.threads() == 1 ? " thread\n" : " threads\n");
    for (const Refusal& refusal : part.choice.refusals) text << "  not     " << refusal.kernel << ": " << refusal.reason << "\n";
  }
  text << "tiles     " << tiles.total() << " of " << base::kTile << " x " << base::kTile << ": " << tiles.empty << " empty ("
       << percent_text(share(tiles.empty, tiles.total())) << "), " << tiles.partial << " partial, " << tiles.full << " full\n";
  text << "scratch   " << bytes_text(static_cast<double>(plan.scratch_bytes())) << "; the S x S matrix would take "
       << bytes_text(static_cast<double>(plan.square_bytes())) << "\n";
  text << "planned   in " << seconds_text(plan.planning_seconds()) << "\n";
  const Expected expected = plan.expected();
  text << "expected  "
       << (expected.limit.empty() ? "no estimate" : "about " + seconds_text(expected.seconds) + ", bound by " + expected.limit) << "; "
       << plan.flops() / 1e9 << " GFLOP\n";
  return text.str();
}

}  // namespace heed::plan
