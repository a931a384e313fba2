#include "base/check.hpp"

#include <cmath>
#include <string>

#include <heed/error.hpp>

namespace heed::base {

void check_sinks(const TensorView& sink) {
  for (std::int64_t h = 0; h < sink.shape[0]; ++h) {
    const double logit = real_at(sink, h * sink.strides[0]);
    if (std::isnan(logit) || logit == HUGE_VAL)
      throw Error({"sink is not below infinity", "sink of head " + std::to_string(h), "finite or -inf", std::to_string(logit)});
  }
}

void check_tensor(const char* name, const TensorView& tensor, const Dims& shape, std::initializer_list<DType> dtypes) {
  const std::string where = std::string("tensor ") + name;
  if (!(tensor.shape == shape)) throw Error({"wrong shape", where, to_text(shape), to_text(tensor.shape)});
  if (tensor.strides.rank() != shape.rank()) {
    throw Error({"wrong number of strides", where, std::to_string(shape.rank()), std::to_string(tensor.strides.rank())});
  }
  if (tensor.data == nullptr && count_of(shape) > 0) throw Error({"no data", where, "a pointer", "null"});
  std::string names;
  for (const DType dtype : dtypes) {
    if (dtype == tensor.dtype) return;
    names += (names.empty() ? "" : " or ") + std::string(name_of(dtype));
  }
  throw Error({"wrong element type", where, names, std::string(name_of(tensor.dtype))});
}

}  // namespace heed::base
