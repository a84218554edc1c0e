// Annotation values: the first byte chooses kind and name, the rest is the value. Reading never breaks,
// errors point into the value, a good value stays good, and a wrong one gives way to the last good one.
#include <string>

#include "policy/annotations.h"
#include "policy/regex.h"
#include "policy/route.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace weft::policy;

template <class Parse>
void check(Parse parse, const std::string& key, const std::string& value) {
  const Annotations annotations{{key, value}};
  const auto read = parse(annotations, "owner", Annotations{});
  WEFT_CHECK(read.errors.size() + read.good.size() == 1);
  for (const AnnotationError& error : read.errors) {
    WEFT_CHECK(error.annotation == key);
    WEFT_CHECK(error.column >= 1 && error.column <= value.size() + 1);
    WEFT_CHECK(error.to_string().size() < 1024);
  }
  const auto again = parse(annotations, "owner", read.good);
  WEFT_CHECK(again.settings == read.settings && again.good == read.good);
}

// What was accepted as a route can be compiled and asked.
void check_routes(const std::string& value) {
  auto read = parse_service_annotations({{"weft.mesh/routes", value}});
  auto service = std::make_shared<Service>();
  service->routes = std::move(read.settings.routes);
  for (const RouteRule& rule : service->routes) service->endpoints.push_back({{}, "", rule.subset, ""});
  EndpointRegistry registry;
  const RouteTable table(service, registry);
  weft::codec::RequestHead head;
  head.method = "GET";
  head.target = "/" + value.substr(0, 32);
  head.headers.add("x", value.substr(0, 256));
  weft::SeededRandom random(1);
  const RouteChoice choice = table.choose(&head, weft::MonotonicTime{}, random);
  WEFT_CHECK(choice.candidates().empty() == service->endpoints.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string value(weft::fuzz::text(data + 1, size - 1));
  const auto names = known_annotations(static_cast<ObjectKind>(data[0] % 3));
  const std::string key = std::string(annotation_prefix).append(names[data[0] / 3 % names.size()]);
  if (data[0] % 3 == 0) check(parse_service_annotations, key, value);
  if (data[0] % 3 == 1) check(parse_pod_annotations, key, value);
  if (data[0] % 3 == 2) check(parse_namespace_annotations, key, value);
  check_routes(value);
  if (const auto regex = Regex::compile(value)) (void)regex->matches(value);
  return 0;
}
