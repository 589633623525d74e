// A C++ program of the common kind, to be recorded: it keeps an index of documents in the
// containers of the standard library. Documents come and go, words point to where they stand,
// queries collect and sort what they find and put answers together out of strings, and a cache
// keeps the last of these. documents_program ROUNDS.
//
// What it prints depends on all of it and on nothing else, so that a run that went wrong can be
// told.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace
{

class Random
{
  public:
    std::uint64_t below(std::uint64_t limit)
    {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ % limit;
    }

    // Small numbers far more often than large ones, as with words.
    std::uint64_t rank(std::uint64_t limit)
    {
        return below(1 + below(1 + below(limit)));
    }

  private:
    std::uint64_t state_ = 88172645463325252u;
};

struct Document {
    std::string title;
    std::vector<std::string> words;
    std::map<std::string, unsigned> counts;
};

using Place =
    std::pair<std::uint64_t, unsigned>; // a document's number, how often the word stands there

class Index
{
  public:
    void add(std::uint64_t number, std::shared_ptr<const Document> document)
    {
        for (const auto &[word, count] : document->counts)
            places_[word].emplace_back(number, count);
        documents_.emplace(number, std::move(document));
    }

    void remove(std::uint64_t number)
    {
        auto found = documents_.find(number);
        if (found == documents_.end())
            return;
        for (const auto &entry : found->second->counts) {
            auto list = places_.find(entry.first);
            auto &places = list->second;
            places.erase(
                std::remove_if(places.begin(), places.end(),
                               [number](const Place &place) { return place.first == number; }),
                places.end());
            if (places.empty())
                places_.erase(list);
        }
        documents_.erase(found);
    }

    // The titles of the documents that have most of the words, one to a line.
    std::string ask(const std::vector<std::string> &words)
    {
        std::string key;
        for (const auto &word : words)
            key += word + ' ';
        auto cached = answers_.find(key);
        if (cached != answers_.end()) {
            recent_.splice(recent_.begin(), recent_, cached->second);
            return cached->second->second;
        }
        std::map<std::uint64_t, unsigned> scores;
        for (const auto &word : words) {
            auto list = places_.find(word);
            if (list == places_.end())
                continue;
            for (const auto &place : list->second)
                scores[place.first] += place.second;
        }
        std::set<std::pair<unsigned, std::uint64_t>> order;
        for (const auto &score : scores) {
            order.emplace(score.second, score.first);
            if (order.size() > 10)
                order.erase(order.begin());
        }
        std::string answer;
        for (auto best = order.rbegin(); best != order.rend(); ++best)
            answer += std::to_string(best->first) + ": " + documents_[best->second]->title + '\n';
        remember(std::move(key), answer);
        return answer;
    }

  private:
    void remember(std::string key, std::string answer)
    {
        recent_.emplace_front(key, std::move(answer));
        answers_[std::move(key)] = recent_.begin();
        if (recent_.size() > 200) {
            answers_.erase(recent_.back().first);
            recent_.pop_back();
        }
    }

    std::unordered_map<std::uint64_t, std::shared_ptr<const Document>> documents_;
    std::unordered_map<std::string, std::vector<Place>> places_;
    std::list<std::pair<std::string, std::string>> recent_;
    std::unordered_map<std::string, std::list<std::pair<std::string, std::string>>::iterator>
        answers_;
};

std::string
word_of(std::uint64_t rank)
{
    static const char *const parts[] = {
        "an", "ber", "con", "dis", "en", "for", "ga",   "hi", "in",  "ju",  "ker", "li",  "mo",
        "ne", "or",  "pre", "qua", "re", "sta", "tion", "un", "ver", "wis", "xi",  "yel", "zo"};
    std::string word;
    do {
        word += parts[rank % 26];
        rank /= 26;
    } while (rank > 0);
    return word + "ing";
}

std::shared_ptr<const Document>
write_document(Random &random, std::uint64_t number)
{
    auto document = std::make_shared<Document>();
    document->title = "The document with the number " + std::to_string(number);
    const auto words = 20 + random.below(100);
    for (std::uint64_t i = 0; i < words; i++)
        document->words.push_back(word_of(random.rank(200000)));
    for (const auto &word : document->words)
        document->counts[word]++;
    return document;
}

} // namespace

int
main(int argc, char **argv)
{
    const std::uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000;
    Random random;
    Index index;
    std::deque<std::uint64_t> kept;
    std::uint64_t answered = 0;
    for (std::uint64_t number = 0; number < rounds; number++) {
        index.add(number, write_document(random, number));
        kept.push_back(number);
        if (kept.size() > 1000) {
            index.remove(kept.front());
            kept.pop_front();
        }
        for (int i = 0; i < 2; i++) {
            std::vector<std::string> question;
            for (std::uint64_t words = 1 + random.below(4); words > 0; words--)
                question.push_back(word_of(1000 + random.rank(200000)));
            answered += index.ask(question).size();
        }
    }
    std::printf("%llu\n", static_cast<unsigned long long>(answered));
    return 0;
}
