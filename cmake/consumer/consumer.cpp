// The installed headers and library are enough to name heed's version.
#include <cstdio>

#include <heed/heed.hpp>

int main() {
  std::printf("%s\n", heed::version());
}
