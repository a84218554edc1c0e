// weft-micro: the operations in nanoseconds. Google Benchmark has the options: --benchmark_filter=http1,
// --benchmark_repetitions=5, --benchmark_format=json …
#include <benchmark/benchmark.h>

#include <string>

#include "tests/bench/micro/operation.h"

namespace {

void add([[maybe_unused]] const weft::bench::Operation& operation) {
#ifndef __clang_analyzer__  // it takes what the library keeps for a leak
  benchmark::RegisterBenchmark(std::string(operation.name).c_str(),
                               [prepare = operation.prepare](benchmark::State& state) {
                                 const weft::Function<void()> run = prepare();
                                 for (auto _ : state) run();
                               });
#endif
}

}  // namespace

int main(int argc, char** argv) {
  for (const weft::bench::Operation& operation : weft::bench::all_operations()) add(operation);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
