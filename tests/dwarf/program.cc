// What compilers make much of: templates, lambdas, functions inlined into functions.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{
struct Shape {
	virtual ~Shape() = default;
	virtual int measure(int scale) const = 0;
};

template <class Held> struct Holder : Shape {
	Held held;

	int measure(int scale) const override
	{
		struct Local {
			static int sorted(int n)
			{
				std::vector<int> numbers(n);
				std::sort(numbers.begin(), numbers.end());
				return n * 3 + (n ? numbers[0] : 0);
			}
		};
		return static_cast<int>(held.size()) + Local::sorted(scale);
	}
};

int hash(const std::string &text)
{
	return std::accumulate(text.begin(), text.end(), 0,
			       [](int sum, char c) { return sum * 31 + c; });
}
}

int main(int argc, char **argv)
{
	std::map<std::string, std::vector<int>> by_name;
	std::unordered_map<int, std::string> by_number;
	std::vector<std::unique_ptr<Shape>> shapes;
	std::regex pattern("a(b|c)*d[0-9]+");

	for (int i = 0; i < argc; i++) {
		by_name[argv[i]].push_back(hash(argv[i]));
		by_number[i] = argv[i];
		shapes.push_back(std::make_unique<Holder<std::string>>());
		shapes.push_back(std::make_unique<Holder<std::map<int, int>>>());
	}
	std::function<int(int)> measure = [&](int i) {
		return shapes[i]->measure(i) + static_cast<int>(by_number.size());
	};
	for (auto &entry : by_name) {
		std::sort(entry.second.begin(), entry.second.end(), std::greater<int>());
		std::cout << entry.first << std::regex_match(entry.first, pattern) << measure(0)
			  << "\n";
	}
}
