// One call: a problem, a plan and a run. All decisions are the plan's.
#include <heed/attend.hpp>

namespace heed {

Tensor attend(const Attend& call) {
  const bool packed = !call.query_offsets.empty() || !call.key_offsets.empty();
  Problem problem = packed ? problem_of(call.q, call.k, call.v, call.query_offsets, call.key_offsets) : problem_of(call.q, call.k, call.v);
  problem.mask = call.mask;
  problem.scores = call.scores;
  problem.tables = call.tables;
  problem.scale = call.scale;
  problem.sink = call.sink;
  problem.align = call.align;
  problem.threads = call.threads;
  const Plan plan(problem);
  Tensor o(problem.dtype, packed ? Dims{call.q.shape[0], problem.heads, problem.value_dim}
                                 : Dims{problem.batch, problem.heads, problem.queries, problem.value_dim});
  plan.run({call.q, call.k, call.v}, {.o = o.span()});
  return o;
}

}  // namespace heed
