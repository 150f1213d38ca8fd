#include "support/leader_poll.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace smtpd::support {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds timeout{150};
constexpr milliseconds stall{5};
constexpr milliseconds limit{20'000};  // only a broken LeaderPoll takes that long

/// Sends every octet back except two: after 'q' its owner must go on, and after 'b' it blocks until it is released.
/// After a ring, it sends an 'r'.
class Echo final : public LeaderPoll::Waiter {
public:
    Echo() { CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data())); }
    ~Echo() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    Echo(const Echo&) = delete;

    LeaderPoll::Wish serve() noexcept override {
        const bool alone = !busy_.exchange(true);
        if (!alone) overlaps = true;
        char octet = 0;
        if (::recv(ends_[0], &octet, 1, MSG_DONTWAIT) == 1) {
            ++served;
            if (octet == 'b') gate.get_future().wait();
            if (::send(ends_[0], &octet, 1, 0) != 1) overlaps = true;
        }
        if (has_news.exchange(false) && ::send(ends_[0], "r", 1, 0) != 1) overlaps = true;
        busy_ = false;
        if (octet == 'q') is_done = true;
        return octet == 'q'   ? LeaderPoll::Wish::owner
               : octet == 'w' ? LeaderPoll::Wish::signal
               : octet == 'o' ? LeaderPoll::Wish::room
                              : LeaderPoll::Wish::input;
    }
    void be_signalled(LeaderPoll& poll) {
        has_news = true;
        poll.signal(*this);
    }

    void send(char octet) { CPPUNIT_ASSERT_EQUAL(ssize_t{1}, ::send(ends_[1], &octet, 1, 0)); }
    char receive() {
        pollfd wanted{ends_[1], POLLIN, 0};
        char octet = 0;
        if (::poll(&wanted, 1, static_cast<int>(limit.count())) == 1 && ::recv(ends_[1], &octet, 1, 0) == 1)
            return octet;
        return '!';
    }
    bool answers(char octet) {
        send(octet);
        return receive() == octet;
    }
    void drain() {
        std::string octets(1 << 16, ' ');
        while (::recv(ends_[1], octets.data(), octets.size(), MSG_DONTWAIT) > 0) {}
    }
    int descriptor() const { return ends_[0]; }

    std::atomic<bool> overlaps{false};
    std::atomic<int> served{0};
    std::atomic<bool> has_news{false};
    std::atomic<bool> is_done{false};
    std::promise<void> gate;

private:
    std::array<int, 2> ends_{};
    std::atomic<bool> busy_{false};
};

/// Guests with a thread each, which waits again until something arrives.
class Party {
public:
    explicit Party(std::size_t size) : poll_(timeout, stall) {
        for (std::size_t i = 0; i < size; ++i) guests_.push_back(std::make_unique<Echo>());
        for (auto& waiter : guests_)
            threads_.emplace_back([this, &waiter] {
                while (!waiter->is_done) {
                    if (!poll_.wait(waiter->descriptor(), *waiter)) ++idle_;
                    else if (!waiter->is_done) waiter->serve();  // signalled for between two waits
                }
            });
    }
    ~Party() {
        for (auto& waiter : guests_) waiter->send('q');
        for (auto& thread : threads_) thread.join();
    }
    Echo& operator[](std::size_t index) { return *guests_[index]; }
    LeaderPoll& poll() { return poll_; }
    std::size_t size() const { return guests_.size(); }
    int idle() const { return idle_; }
    bool overlapped() const {
        for (const auto& waiter : guests_)
            if (waiter->overlaps) return true;
        return false;
    }

private:
    LeaderPoll poll_;
    std::atomic<int> idle_{0};
    std::vector<std::unique_ptr<Echo>> guests_;
    std::vector<std::thread> threads_;
};

}  // namespace

class LeaderPollTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LeaderPollTest);
    CPPUNIT_TEST(one_that_is_done_goes_on);
    CPPUNIT_TEST(nothing_comes);
    CPPUNIT_TEST(all_are_served_and_never_twice_at_a_time);
    CPPUNIT_TEST(one_thread_does_the_work_of_all);
    CPPUNIT_TEST(whoever_is_stuck_holds_up_nobody);
    CPPUNIT_TEST(several_are_stuck);
    CPPUNIT_TEST(they_come_and_go);
    CPPUNIT_TEST(a_signalled_waiter_is_served);
    CPPUNIT_TEST(a_guest_that_wishes_for_the_bell_is_not_polled_until_it_is_resumed);
    CPPUNIT_TEST(one_that_is_resumed_while_it_is_served_is_not_lost);
    CPPUNIT_TEST(room_is_waited_for);
    CPPUNIT_TEST(the_guest_of_a_stuck_thread_is_served_as_long_as_that_takes);
    CPPUNIT_TEST(a_ring_before_the_wait_is_not_lost);
    CPPUNIT_TEST(a_ring_for_one_that_is_stuck_is_not_lost);
    CPPUNIT_TEST(no_ring_is_lost_among_input);
    CPPUNIT_TEST_SUITE_END();

    void one_that_is_done_goes_on() {
        LeaderPoll poll(limit, stall);
        Echo waiter;
        waiter.send('q');
        CPPUNIT_ASSERT(poll.wait(waiter.descriptor(), waiter));
        CPPUNIT_ASSERT_EQUAL('q', waiter.receive());
        CPPUNIT_ASSERT_EQUAL(1, waiter.served.load());
    }

    void nothing_comes() {
        LeaderPoll poll(milliseconds(20), stall);
        Echo waiter;
        const auto began = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT(!poll.wait(waiter.descriptor(), waiter));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began >= milliseconds(20));
        CPPUNIT_ASSERT_EQUAL(0, waiter.served.load());
    }

    void all_are_served_and_never_twice_at_a_time() {
        Party party(12);
        for (int round = 0; round < 50; ++round) {
            for (std::size_t i = 0; i < party.size(); ++i) party[i].send('x');
            for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT_EQUAL('x', party[i].receive());
        }
        CPPUNIT_ASSERT(!party.overlapped());
        for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT_EQUAL(50, party[i].served.load());
    }

    /// The purpose of the class: guests that answer at once need no thread of their own.
    void one_thread_does_the_work_of_all() {
        class Witness final : public LeaderPoll::Waiter {
        public:
            explicit Witness(Echo& echo) : echo_(echo) {}
            LeaderPoll::Wish serve() noexcept override {
                const auto stays = echo_.serve();
                if (stays != LeaderPoll::Wish::owner) threads.push_back(std::this_thread::get_id());
                return stays;
            }
            std::vector<std::thread::id> threads;

        private:
            Echo& echo_;
        };
        LeaderPoll poll(limit, limit);
        Echo first;
        Echo second;
        Witness one(first);
        Witness two(second);
        std::thread leader([&] { poll.wait(first.descriptor(), one); });
        CPPUNIT_ASSERT(first.answers('x'));
        const auto leading = leader.get_id();
        std::thread other([&] { poll.wait(second.descriptor(), two); });
        for (int i = 0; i < 20; ++i) CPPUNIT_ASSERT(second.answers('x'));
        second.send('q');
        other.join();
        first.send('q');
        leader.join();
        CPPUNIT_ASSERT_EQUAL(std::size_t{20}, two.threads.size());
        for (const auto& thread : two.threads) CPPUNIT_ASSERT(thread == leading);
    }

    /// Each in turn, so that it is the leader's own waiter, the deputy's, and another one's.
    void whoever_is_stuck_holds_up_nobody() {
        Party party(4);
        for (std::size_t stuck = 0; stuck < party.size(); ++stuck) {
            party[stuck].gate = {};
            party[stuck].send('b');
            for (std::size_t i = 0; i < party.size(); ++i)
                if (i != stuck)
                    CPPUNIT_ASSERT_MESSAGE(std::to_string(stuck) + " holds up " + std::to_string(i),
                                           party[i].answers('x'));
            party[stuck].gate.set_value();
            CPPUNIT_ASSERT_EQUAL('b', party[stuck].receive());
            CPPUNIT_ASSERT(party[stuck].answers('x'));
        }
        CPPUNIT_ASSERT(!party.overlapped());
    }

    void several_are_stuck() {
        Party party(6);
        for (int round = 0; round < 5; ++round) {
            for (const std::size_t stuck : {0, 2, 3}) {
                party[stuck].gate = {};
                party[stuck].send('b');
            }
            for (const std::size_t i : {1, 4, 5}) CPPUNIT_ASSERT(party[i].answers('x'));
            for (const std::size_t stuck : {3, 0, 2}) party[stuck].gate.set_value();
            for (const std::size_t stuck : {0, 2, 3}) CPPUNIT_ASSERT_EQUAL('b', party[stuck].receive());
            for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));
        }
        CPPUNIT_ASSERT(!party.overlapped());
    }

    /// Waits that end without input, side by side, with sockets that disappear.
    void a_signalled_waiter_is_served() {
        Party party(3);
        for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));  // all are there
        for (int round = 0; round < 20; ++round)
            for (std::size_t i = 0; i < party.size(); ++i) {
                const auto began = std::chrono::steady_clock::now();
                party[i].be_signalled(party.poll());
                CPPUNIT_ASSERT_EQUAL('r', party[i].receive());
                CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < limit);
            }
        CPPUNIT_ASSERT(!party.overlapped());
    }

    void a_guest_that_wishes_for_the_bell_is_not_polled_until_it_is_resumed() {
        Party party(3);
        for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));
        CPPUNIT_ASSERT(party[1].answers('w'));
        const int before = party[1].served;
        party[1].send('y');
        CPPUNIT_ASSERT(party[0].answers('x') && party[2].answers('x'));
        CPPUNIT_ASSERT_EQUAL(before, party[1].served.load());
        CPPUNIT_ASSERT(party.poll().resume(party[1], LeaderPoll::Wish::input));
        CPPUNIT_ASSERT_EQUAL('y', party[1].receive());
        CPPUNIT_ASSERT(!party.overlapped());
    }

    void one_that_is_resumed_while_it_is_served_is_not_lost() {
        LeaderPoll poll(milliseconds(20), stall);
        struct Hasty final : LeaderPoll::Waiter {
            explicit Hasty(LeaderPoll& poll) : poll(poll) {}
            LeaderPoll::Wish serve() noexcept override {
                if (++served > 1) return LeaderPoll::Wish::owner;
                poll.resume(*this, LeaderPoll::Wish::input);  // by the thread that it has left its work to, and that
                                                              // was quick
                return LeaderPoll::Wish::signal;
            }
            LeaderPoll& poll;
            int served = 0;
        } waiter(poll);
        Echo ends;
        ends.send('x');
        CPPUNIT_ASSERT(poll.wait(ends.descriptor(), waiter));
        CPPUNIT_ASSERT_EQUAL(2, waiter.served);
    }

    void room_is_waited_for() {
        LeaderPoll poll(limit, stall);
        Echo full;
        std::string octets(1 << 16, 'x');
        while (::send(full.descriptor(), octets.data(), octets.size(), MSG_DONTWAIT) > 0) {}
        struct Writer final : LeaderPoll::Waiter {
            LeaderPoll::Wish serve() noexcept override {
                has_room = true;
                return LeaderPoll::Wish::owner;
            }
            std::atomic<bool> has_room{false};
        } waiter;
        std::thread waiting([&] { poll.wait(full.descriptor(), waiter, LeaderPoll::Wish::room); });
        std::this_thread::sleep_for(milliseconds(20));
        CPPUNIT_ASSERT(!waiter.has_room);
        full.drain();
        waiting.join();
        CPPUNIT_ASSERT(waiter.has_room);
    }

    /// Longer than any wait for input: no other thread could serve it then.
    void the_guest_of_a_stuck_thread_is_served_as_long_as_that_takes() {
        Party party(4);
        for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));
        party[0].send('b');  // one of the threads is stuck now, and which waiter is its own nobody knows
        const auto until = std::chrono::steady_clock::now() + 3 * timeout;
        while (std::chrono::steady_clock::now() < until)
            for (std::size_t i = 1; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));
        std::this_thread::sleep_for(2 * timeout);
        for (std::size_t i = 1; i < party.size(); ++i) {
            const auto began = std::chrono::steady_clock::now();
            CPPUNIT_ASSERT(party[i].answers('x'));
            CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < 10 * timeout);
        }
        party[0].gate.set_value();
        CPPUNIT_ASSERT_EQUAL('b', party[0].receive());
    }

    void a_ring_before_the_wait_is_not_lost() {
        LeaderPoll poll(milliseconds(20), stall);
        Echo waiter;
        poll.signal(waiter);
        poll.signal(waiter);
        CPPUNIT_ASSERT(poll.wait(waiter.descriptor(), waiter));
        CPPUNIT_ASSERT_EQUAL(0, waiter.served.load());
        CPPUNIT_ASSERT(!poll.wait(waiter.descriptor(), waiter));  // once only
    }

    void a_ring_for_one_that_is_stuck_is_not_lost() {
        Party party(4);
        for (std::size_t i = 0; i < party.size(); ++i) CPPUNIT_ASSERT(party[i].answers('x'));
        party[0].send('b');
        CPPUNIT_ASSERT(party[1].answers('x'));  // by another leader
        party[0].be_signalled(party.poll());
        CPPUNIT_ASSERT(party[1].answers('y'));
        party[0].gate.set_value();
        CPPUNIT_ASSERT_EQUAL('b', party[0].receive());
        CPPUNIT_ASSERT_EQUAL('r', party[0].receive());
        CPPUNIT_ASSERT(!party.overlapped());
    }

    void no_ring_is_lost_among_input() {
        Party party(8);
        std::vector<std::future<bool>> clients;
        for (std::size_t i = 0; i < party.size(); ++i)
            clients.push_back(std::async(std::launch::async, [&party, i] {
                for (int round = 0; round < 400; ++round) {
                    if ((round + static_cast<int>(i)) % 2 == 0) {
                        if (!party[i].answers('x')) return false;
                    } else {
                        party[i].be_signalled(party.poll());
                        if (party[i].receive() != 'r') return false;
                    }
                }
                return true;
            }));
        for (auto& client : clients) CPPUNIT_ASSERT(client.get());
        CPPUNIT_ASSERT(!party.overlapped());
    }

    void they_come_and_go() {
        LeaderPoll poll(milliseconds(2), milliseconds(1));
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (int number = 0; number < 6; ++number)
            threads.emplace_back([&poll, &wrong, number] {
                for (int round = 0; round < 60; ++round) {
                    Echo waiter;
                    const bool is_quiet = (round + number) % 3 == 0;
                    if (!is_quiet) waiter.send('x');
                    if ((round + number) % 3 == 1) waiter.send('q');
                    const bool goes_on = poll.wait(waiter.descriptor(), waiter);
                    if (goes_on != ((round + number) % 3 == 1) || waiter.overlaps) ++wrong;
                    if (!is_quiet && waiter.receive() != 'x') ++wrong;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LeaderPollTest);

}  // namespace smtpd::support
