/// maildir_fixture.h: queue/maildir with recipients, and its deliveries.
#pragma once

#include "fakes/plugin_under_test.h"

#include <smtpd/base/files.h>

#include <cppunit/TestAssert.h>
#include <cppunit/TestFixture.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace smtpd {

using fakes::PluginUnderTest;
namespace fs = std::filesystem;

class MaildirFixture : public CppUnit::TestFixture {
protected:
    static constexpr const char* try_again = "denysoft 451 4.3.0 Cannot store the message now, try again later";
    static constexpr const char* disk_full = "denysoft 452 4.3.1 Mail system full";

    /// The plugin with a sender and these recipients.
    static std::unique_ptr<PluginUnderTest> plugin(const std::string& options,
                                                   std::initializer_list<const char*> recipients = {
                                                       "user@example.com"}) {
        auto made = std::make_unique<PluginUnderTest>("queue/maildir", options);
        (void)bool(made->child_start());
        made->transaction().set_sender(fakes::FakeTransaction::address("sender@example.net"));
        for (const char* recipient : recipients) {
            const bool is_bare = std::string_view(recipient).find('@') == std::string_view::npos;
            if (is_bare)
                made->transaction().recipients().emplace_back(Address::from_parts(recipient, ""), Parameters());
            else made->transaction().add_recipient(recipient);
        }
        return made;
    }

    /// All files below, by path relative to the top.
    static std::vector<std::string> files(const std::string& top) {
        std::vector<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(top))
            if (!entry.is_directory()) found.push_back(entry.path().string().substr(top.size() + 1));
        std::sort(found.begin(), found.end());
        return found;
    }

    /// The folders of these files, without their names.
    static std::set<std::string> folders_with_mail(const std::string& top) {
        std::set<std::string> found;
        for (const auto& file : files(top)) found.insert(file.substr(0, file.rfind('/')));
        return found;
    }

    static std::string content(const std::string& path) {
        auto read = read_file(path, 1 << 24);
        return read ? *read : "(" + read.error().what + ")";
    }

    /// The only file in new of that Maildir.
    static std::string delivered(const std::string& maildir) {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(maildir + "/new")) found.push_back(entry.path().string());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), found.size());
        return content(found.front());
    }
};

}  // namespace smtpd
