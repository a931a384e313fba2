// The installed headers and library are enough to name heed's version.
#include <cstdio>

#include <heed/heed.hpp>

int main() {
  std::puts(heed::version().c_str());
}
