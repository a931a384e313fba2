// Borrowed: a function borrowed for a call: what std::function would be without memory of its own.
#pragma once

namespace heed::base {

template <class Signature>
class Borrowed;

template <class Result, class... Arguments>
class Borrowed<Result(Arguments...)> {
 public:
  /// `function` must outlive this; only what has a name can be borrowed.
  template <class Function>
  explicit Borrowed(Function& function)
      : object_(&function),
        call_([](const void* object, Arguments... arguments) -> Result { return (*static_cast<const Function*>(object))(arguments...); }) {}
  Result operator()(Arguments... arguments) const { return call_(object_, arguments...); }

 private:
  const void* object_;
  Result (*call_)(const void*, Arguments...);
};

}  // namespace heed::base
