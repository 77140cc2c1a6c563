#include "workloads/locality_model.h"

#include <algorithm>

#include "workloads/spec.h"

namespace workloads {
namespace {

using testing::HasSubstr;

// Two layers of a small model.
const std::string small = R"({
  "name": "small", "source": "a test", "layers": 2, "top_k": 256, "query_tokens": 1,
  "position_relative_layers": [1], "recent": 8, "burst_length": 0,
  "figures": [
    {"use": "fit", "context_tokens": 4096, "similarity": [0.5, 0.2]},
    {"use": "fit", "context_tokens": 4096, "sparse_ratio": 0.2, "misses": [20, 6]},
    {"use": "fit", "context_tokens": 4096, "sparse_ratio": 0.4, "misses": [8, null]},
    {"use": "check", "context_tokens": 8192, "sparse_ratio": 0.2, "mean_misses": 9}]
})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = small;
  const auto at = text.find(from);
  if (at == text.npos) throw std::logic_error(from);
  return text.replace(at, from.size(), to);
}

std::string complaint(const std::string& text, const std::vector<std::string>& set = {}) {
  const auto model = parse_locality(text, "m.json", set);
  return model ? "" : to_string(model.error());
}

TEST(locality_model, is_made_of_its_figures) {
  const auto model = parse_locality(small, "m.json");
  ASSERT_TRUE(model) << to_string(model.error());
  EXPECT_EQ(model->name, "small");
  EXPECT_EQ(model->context_tokens, 4096);
  EXPECT_EQ(model->stream.sinks, 4);
  EXPECT_EQ(model->stream.recent, 8);
  ASSERT_EQ(model->layers.size(), 2u);
  EXPECT_EQ(model->layers[0].overlap, 0.5);
  EXPECT_GT(model->layers[0].scattered, 0.01);
  EXPECT_TRUE(model->layers[1].position_relative);
  EXPECT_NEAR(model->layers[1].scattered * 256, 6 / 0.8 * 0.875, 0.01);  // over the 7/8 beyond the positions
  EXPECT_FALSE(model->figures[2].by_layer[1]);
  EXPECT_EQ(model->figures[3].mean, 9);
}

TEST(locality_model, overlap_and_misses_are_set_apart) {
  const auto plain = *parse_locality(small, "m.json");
  const auto overlap = *parse_locality(small, "m.json", std::vector<std::string>{"overlap=0.75"});
  EXPECT_EQ(overlap.layers[0].overlap, 0.75);
  EXPECT_LT(overlap.layers[0].steepness,
            plain.layers[0].steepness);  // fewer entrants miss as much: they lie deeper
  EXPECT_EQ(overlap.figures[1].by_layer, plain.figures[1].by_layer);
  const auto misses = *parse_locality(small, "m.json", std::vector<std::string>{"misses=2"});
  EXPECT_EQ(misses.layers[0].overlap, 0.5);
  EXPECT_GT(misses.layers[0].scattered, 1.5 * plain.layers[0].scattered);
  const auto stream = *parse_locality(small, "m.json",
                                      std::vector<std::string>{"sinks=2", "recent=3", "burst_every=50",
                                                               "burst_length=5", "burst_factor=1.5"});
  EXPECT_EQ(stream.stream, (ess::stream_locality{2, 3, 50, 5, 1.5}));
  EXPECT_EQ(stream.layers, plain.layers);
}

TEST(locality_model, faults_are_named_by_path_and_line) {
  EXPECT_EQ(complaint(small), "");
  EXPECT_EQ(complaint(with("\"recent\"", "\"resent\"")),
            "m.json:3: unknown key 'resent'; did you mean 'recent'?");
  EXPECT_THAT(complaint(with("\"top_k\": 256,", "")), HasSubstr("missing key 'top_k'"));
  EXPECT_EQ(complaint(with("256", "0")), "m.json:2: 'top_k' is 0, but must be in [1, 1000000]");
  EXPECT_EQ(complaint(with("256", "2.5")), "m.json:2: 'top_k' is 2.5, but must be a whole number");
  EXPECT_EQ(complaint(with("[1]", "[2]")),
            "m.json:3: 'position_relative_layers[0]' is 2, but must be in [0, 1]");
  EXPECT_EQ(complaint(with("[0.5, 0.2]", "[0.5]")),
            "m.json:5: 'figures[0].similarity' has 1 values, but there are 2 layers");
  EXPECT_EQ(complaint(with("0.5, 0.2", "1.5, 0.2")),
            "m.json:5: 'figures[0].similarity[0]' is 1.5, but must be in [0, 1]");
  EXPECT_THAT(complaint(with("[20, 6]", "[0, 6]")), HasSubstr("m.json:6: 'figures[1].misses[0]' is 0"));
  EXPECT_THAT(complaint(with("[20, 6]", "20")), HasSubstr("must be a list"));
  EXPECT_THAT(complaint(with("\"sparse_ratio\": 0.4, ", "")),
              HasSubstr("sparse_ratio exactly if it is of misses"));
  EXPECT_THAT(complaint(with("\"misses\": [20, 6]", "\"mean_misses\": 2, \"misses\": [20, 6]")),
              HasSubstr("must have one of"));
  EXPECT_THAT(complaint(with("\"check\"", "\"chekc\"")), HasSubstr("must be \"fit\" or \"check\""));
  EXPECT_THAT(complaint(small.substr(0, small.find("4096"))), HasSubstr("cut off"));
  EXPECT_EQ(complaint("[]"), "m.json:1: a locality model must be an object");
}

TEST(locality_model, says_what_cannot_be_fitted) {
  EXPECT_THAT(complaint(with("\"fit\", \"context_tokens\": 4096, \"sim",
                             "\"check\", \"context_tokens\": 4096, \"sim")),
              HasSubstr("has no similarity with"));
  EXPECT_THAT(complaint(with("0.5, 0.2", "null, 0.2")), HasSubstr("similarity for every layer"));
  EXPECT_THAT(complaint(with("4096, \"sparse_ratio\": 0.4", "4097, \"sparse_ratio\": 0.4")),
              HasSubstr("'figures[2]' is of 4097 tokens"));
  EXPECT_THAT(complaint(with("\"check\"", "\"fit\"")), HasSubstr("is of 8192 tokens"));
  EXPECT_THAT(complaint(with("[8, null]", "[null, 3]")), HasSubstr("layer 0 has too few figures"));
  EXPECT_THAT(complaint(with("\"recent\": 8", "\"recent\": 1")), HasSubstr("recent is 1"));
}

TEST(locality_model, settings_that_cannot_be_are_blamed_on_the_option) {
  EXPECT_EQ(complaint(small, {"overlapp=0.5"}),
            "--set overlapp=0.5: unknown name 'overlapp'; did you mean 'overlap'?");
  EXPECT_THAT(complaint(small, {"zzz=1"}), HasSubstr("there are: overlap, misses"));
  EXPECT_EQ(complaint(small, {"overlap"}), "--set overlap: is not of the form name=value");
  EXPECT_EQ(complaint(small, {"overlap=half"}), "--set overlap=half: 'half' is not a number");
  EXPECT_EQ(complaint(small, {"overlap=1.5"}), "--set overlap=1.5: 1.5 is not in [0, 1]");
  EXPECT_EQ(complaint(small, {"misses=0"}), "--set misses=0: 0 is not in (0, 1000]");
  EXPECT_EQ(complaint(small, {"sinks=1.5"}), "--set sinks=1.5: 1.5 is no whole number in [0, 1000000]");
  EXPECT_THAT(complaint(small, {"sinks=250"}), HasSubstr("--set sinks=250: top-k is 256"));
}

TEST(locality_model, shipped_ones_are_found_by_name) {
  const auto file = find_locality("deepseek_v3_2");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(find_locality(file->string()).value(), *file);
  EXPECT_EQ(to_string(find_locality("deepseek_v32").error()),
            "deepseek_v32: no locality model of this name, and no such file; did you mean 'deepseek_v3_2'?");
  EXPECT_FALSE(find_locality("quick"));
}

TEST(locality_model, the_shipped_one_restates_the_published_figures) {
  const auto model = load_locality(find_locality("deepseek_v3_2").value());
  ASSERT_TRUE(model) << to_string(model.error());
  EXPECT_THAT(model->source, HasSubstr("arXiv 2512.10576"));
  ASSERT_EQ(model->layers.size(), 61u);
  EXPECT_EQ(std::ranges::count_if(model->layers, &ess::layer_locality::position_relative), 1);
  EXPECT_EQ(model->figures[1].by_layer[17], 607);
  for (const ess::layer_locality& layer : model->layers) EXPECT_GT(layer.scattered, 0.0);
}

}  // namespace
}  // namespace workloads
