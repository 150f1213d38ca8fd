/// queue/maildir: deliver into a Maildir, or into one Maildir per recipient.
///
/// At the queue hook the plugin writes the message to `tmp`, forces it to the disk, moves it to `new`, and forces the
/// folder to the disk too. Only then does the client get 250. On an error the plugin removes the files made so far, and
/// the client gets a temporary error.
///
/// ## Files
///
///     Return-Path: <sender@example.org>
///     Delivered-To: user@example.com
///     Received: …                            (and the rest of the message, byte for byte as it arrived)
///
/// The file name is `<seconds>.P<process>M<microseconds>Q<number>R<random>.<host>`. The plugin creates missing folders:
/// `cur`, `new`, `tmp` and the folders above them. It does not create the parent of the configured directory, which
/// must exist.
///
/// ## One Maildir, or many
///
/// Without a pattern all mail goes to one Maildir. A message to several recipients is then one file with a Delivered-To
/// field for each recipient.
///
/// With a pattern each recipient gets a separate file, below the directory. In the pattern `%l` is the local part, `%d`
/// the domain, and `%u` the address. All are in lower case; for the local part, the directive SmtpLocalPartCase can
/// change that. A non-ASCII domain is in its xn-- form.
///
///     SmtpPlugin queue/maildir /var/mail/in
///     SmtpPlugin queue/maildir /home/mail %d/%l 750
///
/// The values that replace `%l`, `%d` and `%u` are made safe, so nothing that a client sends can lead out of the
/// directory:
///
/// - ASCII characters other than `-A-Za-z0-9+_.,@=` become `_`, and so does a leading dot;
/// - UTF-8 in a local part (of mail with SMTPUTF8) stays as it is, byte for byte;
/// - a value longer than 200 bytes is cut, and a checksum replaces the rest.
///
/// Two addresses that differ only in replaced characters share a Maildir. Use a recipient plugin that says which
/// addresses exist.
///
/// If there is a pattern and the client gets a reply for each recipient (LMTP, PRDR), each recipient has a separate
/// fate: the plugin defers the recipients that it cannot deliver to, and delivers to the others. Recipients that
/// plugins derived from one RCPT command share one fate. A recipient that a plugin added has no reply of its own: it
/// gets the message together with the others, and if its delivery fails, all are deferred. If the client gets one reply
/// for all recipients, either all of them get the message or none, because a client that tries again sends the message
/// to all of them.
///
/// `perms` are the permissions of new folders. Files get the same permissions without the x. The umask does not change
/// them.
///
/// ## Quarantine
///
/// With `junk`, a message in quarantine goes to that folder of the Maildir, and not to its inbox. A message is in
/// quarantine if it has the header field X-Quarantine, which the plugin dmarc adds. A client can add the field too, but
/// only to send its own message to the junk folder. IMAP servers with Maildir++ show the folder `.Junk` as Junk.
///
///     SmtpPlugin queue/maildir /home/mail %d/%l junk=.Junk
///
/// ## Extensions of SMTP
///
/// A Maildir is final delivery, so these extensions work:
///
/// - SMTPUTF8: the message is stored in UTF-8, including the fields Return-Path and Delivered-To (RFC 6532);
/// - BINARYMIME: the message is stored byte for byte, even with `newline=lf`;
/// - REQUIRETLS: the message is not sent anywhere.
///
/// Leave DSN and MT-PRIORITY off (see SmtpExtensions): the plugin sends no reports about deliveries, and it has no
/// queue in which one message could overtake another.
///
/// ## Replies
///
/// The reply is 250 with the transaction's id. It is `452 4.3.1` if the disk is full. If a quota is exceeded, it is
/// `452 4.2.2` with a pattern, because the quota is then usually the mailbox's own (set for the folder's project or
/// group), and `452 4.3.1` without a pattern. It is `451 4.3.0` for every other error, and the log has the reason.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd never forces data to the disk. If a later copy fails, it keeps the copies for the first recipients. It
/// writes LF (see `newline`). A local part of `..` leads out of its directory. Its file names have no random part,
/// which two processes with the same number (in two containers) need.
///
/// ## Limits
///
/// If all recipients must get the message or none, the plugin removes the first recipient's file when the second one
/// fails. It cannot do so if a mail program has taken that file out of `new` in the meantime.
#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <map>
#include <mutex>
#include <span>
#include <unordered_set>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_value = 200;            ///< of the values of %l, %d, %u; a file name may have 255
constexpr std::uint64_t largest_in_memory = 1 << 18;  ///< a message up to this size is written with one call
constexpr std::size_t write_size = 1 << 16;           ///< larger messages are written in pieces of at least this size
constexpr int attempts = 8;                           ///< to find a free file name

std::string to_hex(std::uint64_t value) {
    char digits[16];
    return {digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr};
}

std::uint64_t checksum(std::string_view text) {  // FNV-1a
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return sum;
}

constexpr bool is_ascii(char c) { return (static_cast<unsigned char>(c) & 0x80U) == 0; }

bool is_safe(char c) {
    return !is_ascii(c) || is_ascii_letter(c) || is_ascii_digit(c) ||
           std::string_view("-+_.,@=").find(c) != std::string_view::npos;
}

/// Makes a part of an address safe as a part of a path: never empty, without a slash, without a leading dot.
std::string path_safe(std::string_view value) {
    std::size_t end = std::min(value.size(), longest_value);
    while (end > 0 && end < value.size() && (static_cast<unsigned char>(value[end]) & 0xc0U) == 0x80)
        --end;  // not inside a character
    std::string safe;
    for (const char c : value.substr(0, end)) safe += is_safe(c) ? c : '_';
    if (safe.empty()) safe = "_";
    if (safe.front() == '.') safe.front() = '_';
    if (value.size() > longest_value) safe += "=" + to_hex(checksum(value));
    return safe;
}

std::string without_end_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

/// The host for file names, in which slash and colon have a meaning for mail programs.
std::string host_for_names() {
    char name[256] = "localhost";
    gethostname(name, sizeof name - 1);
    std::string safe;
    for (const char c : std::string_view(name)) safe += c == '/' ? "\\057" : c == ':' ? "\\072" : std::string(1, c);
    return safe;
}

/// Turns CRLF into LF in a text that comes in pieces. It keeps a bare CR or LF.
class NewlineFilter {
public:
    explicit NewlineFilter(bool active) : active_(active) {}
    void append(std::string_view piece, std::string& out) {
        if (!active_) {
            out += piece;
            return;
        }
        while (!piece.empty()) {
            if (held_cr_ && piece.front() != '\n') out += '\r';
            const auto cr = piece.find('\r');
            out += piece.substr(0, cr);
            held_cr_ = cr != std::string_view::npos;
            piece.remove_prefix(held_cr_ ? cr + 1 : piece.size());
        }
    }
    void finish(std::string& out) {
        if (std::exchange(held_cr_, false)) out += '\r';
    }

private:
    bool active_;
    bool held_cr_ = false;
};

/// The part that all copies of a message share. A small message is read once, a large one once per copy.
class Content {
public:
    Content(const Message& message, bool lf_only)
        : message_(message), lf_only_(lf_only), in_memory_(message.size() <= largest_in_memory) {}

    Result<void> read() {
        if (!in_memory_) return {};
        gathered_.reserve(message_.size() + 4096);
        NewlineFilter filter(lf_only_);
        auto read = message_.write_to([&](std::string_view piece) -> Result<void> {
            filter.append(piece, gathered_);
            return {};
        });
        filter.finish(gathered_);
        return read;
    }

    Result<void> write(int descriptor, const std::string& fields_on_top) const {
        return in_memory_ ? write_at_once(descriptor, fields_on_top) : write_in_pieces(descriptor, fields_on_top);
    }

private:
    Result<void> write_at_once(int descriptor, const std::string& fields_on_top) const {
        iovec parts[] = {{const_cast<char*>(fields_on_top.data()), fields_on_top.size()},
                         {const_cast<char*>(gathered_.data()), gathered_.size()}};
        const ssize_t result = writev(descriptor, parts, 2);
        if (result < 0 && errno != EINTR) return os_error("cannot write", errno);
        const std::size_t written = result < 0 ? 0 : static_cast<std::size_t>(result);
        if (written < fields_on_top.size())
            if (auto rest = write_all(descriptor, std::string_view(fields_on_top).substr(written)); !rest) return rest;
        const std::size_t written_of_content = written - std::min(written, fields_on_top.size());
        return write_all(descriptor, std::string_view(gathered_).substr(written_of_content));
    }

    Result<void> write_in_pieces(int descriptor, const std::string& fields_on_top) const {
        std::string buffer = fields_on_top;
        NewlineFilter filter(lf_only_);
        auto written = message_.write_to([&](std::string_view piece) -> Result<void> {
            filter.append(piece, buffer);
            if (buffer.size() < write_size) return {};
            auto result = write_all(descriptor, buffer);
            buffer.clear();
            return result;
        });
        if (!written) return written;
        filter.finish(buffer);
        return write_all(descriptor, buffer);
    }

    const Message& message_;
    const bool lf_only_;
    const bool in_memory_;
    std::string gathered_;
};

/// Makes the names in a folder durable.
Result<void> sync_folder(const std::string& path) {
    const FileDescriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return os_error("cannot open " + path, errno);
    if (fsync(folder.get()) != 0) return os_error("cannot force " + path + " to the disk", errno);
    return {};
}

/// One copy on its way into one Maildir: first in tmp, then in new. The destructor removes a copy that was not kept. It
/// holds no file open, because a message may have more recipients than a process may have files.
class Copy {
public:
    explicit Copy(std::string maildir) : maildir_(std::move(maildir)) {}
    Copy(Copy&& other) noexcept
        : maildir_(std::move(other.maildir_)),
          name_(std::move(other.name_)),
          place_(std::exchange(other.place_, nullptr)) {}
    ~Copy() {
        if (place_) unlink(path(place_).c_str());
    }

    /// Creates the file in tmp. Fails with EEXIST if the name is taken.
    Result<FileDescriptor> create(std::string name, mode_t mode) {
        name_ = std::move(name);
        FileDescriptor file(open(path("/tmp/").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        if (!file) return os_error("cannot make a file in " + maildir_ + "/tmp", errno);
        place_ = "/tmp/";
        // The umask may have removed permissions; set them again only if it can matter.
        if ((mode & 077) != 0 && fchmod(file.get(), mode) != 0)
            return os_error("cannot set the permissions of a file in " + maildir_ + "/tmp", errno);
        return file;
    }

    Result<void> move_to_new() {
        const std::string from = path("/tmp/"), to = path("/new/");
        if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
            if (errno != EINVAL && errno != ENOSYS)
                return os_error("cannot move a file to " + maildir_ + "/new", errno);
            // A file system without that call (NFS): link() never replaces a file either.
            if (link(from.c_str(), to.c_str()) != 0)
                return os_error("cannot link a file into " + maildir_ + "/new", errno);
            unlink(from.c_str());
        }
        place_ = "/new/";
        return {};
    }

    Result<void> sync_new() const { return sync_folder(maildir_ + "/new"); }
    void keep() noexcept { place_ = nullptr; }
    const std::string& maildir() const noexcept { return maildir_; }
    /// Its path once it is in new.
    std::string file() const { return path("/new/"); }

private:
    std::string path(const char* place) const { return maildir_ + place + name_; }

    std::string maildir_;
    std::string name_;
    const char* place_ = nullptr;  ///< the folder with the file that must be removed again
};

}  // namespace

class Maildir final : public Plugin {
public:
    static constexpr bool waits_for_backend = true;
    enum class Newline { crlf, lf };
    using Recipients = std::vector<const Recipient*>;

    struct Options {
        std::string directory;
        std::string pattern;
        std::string perms = "0700";
        Newline newline = Newline::crlf;
        bool fsync = true;
        std::string junk;

        static OptionTable table() {
            return {option("directory", &Options::directory,
                           "the Maildir, or with a pattern the directory above the Maildirs")
                        .positional(0)
                        .required(),
                    option("pattern", &Options::pattern, "the Maildir of a recipient below the directory: %l, %d, %u")
                        .positional(1),
                    option("perms", &Options::perms, "permissions of new folders, octal").positional(2),
                    option("newline", &Options::newline,
                           "line ends of the files: crlf as received, or lf as many local programs expect")
                        .choices({{"crlf", Newline::crlf}, {"lf", Newline::lf}}),
                    option("fsync", &Options::fsync,
                           "force files and folders to the disk before 250; off is for tests: a crash of the machine "
                           "then loses accepted mail"),
                    option("junk", &Options::junk,
                           "the folder below each Maildir for messages in quarantine, such as .Junk; without it they "
                           "are delivered like others")};
        }
    };

    Maildir(Setup& setup, const Options& options)
        : options_(options),
          directory_(without_end_slash(setup.path(options.directory))),
          folder_mode_(read_perms(setup)),
          file_mode_(folder_mode_ & 0666),
          host_(host_for_names()),
          own_domain_(ascii_domain(setup.server_name())) {
        check_pattern(setup);
        check_directory(setup);
        check_junk(setup);
        setup.uses({FileUse::Kind::fills, directory_});
        if (!options_.fsync) setup.warning("fsync is off: a crash of the machine loses accepted mail");
        setup.hooks.queue.deliver([this](const Delivery& delivery) { return deliver(delivery); });
    }

    static constexpr bool takes_every_message = true;
    /// If all recipients share a Maildir, they share one fate.
    static bool delivers_to_each(const Options& options) noexcept { return !options.pattern.empty(); }

    void child_start() override {
        std::uint32_t bits = 0;
        if (getrandom(&bits, sizeof bits, 0) != sizeof bits) bits = static_cast<std::uint32_t>(getpid());
        process_tag_ = to_hex(bits);
    }

private:
    mode_t read_perms(Setup& setup) const {
        unsigned mode = 0;
        const char* end = options_.perms.data() + options_.perms.size();
        const auto [stop, problem] = std::from_chars(options_.perms.data(), end, mode, 8);
        if (problem != std::errc() || stop != end || mode > 07777 || (mode & 0700) != 0700)
            setup.error("perms \"{}\" must be an octal number such as 0700 or 2750 that gives the owner all rights",
                        options_.perms);
        return mode;
    }

    void check_pattern(Setup& setup) const {
        const std::string framed = "/" + options_.pattern + "/";
        if (framed.find("/../") != std::string::npos || framed.find("/./") != std::string::npos)
            setup.error("pattern \"{}\" must not contain . or .. as a folder", options_.pattern);
        for (auto at = options_.pattern.find('%'); at != std::string::npos; at = options_.pattern.find('%', at + 2))
            if (at + 1 == options_.pattern.size() ||
                std::string_view("ldu%").find(options_.pattern[at + 1]) == std::string_view::npos)
                setup.error("pattern \"{}\" may contain %l, %d, %u and %% only", options_.pattern);
    }

    void check_junk(Setup& setup) const {
        const std::string& junk = options_.junk;
        const bool is_taken = junk == "." || junk == ".." || junk == "tmp" || junk == "new" || junk == "cur";
        if (is_taken || junk.find('/') != std::string::npos)
            setup.error("junk \"{}\" is no folder below a Maildir: write a name such as .Junk", junk);
    }

    void check_directory(Setup& setup) const {
        struct stat about {};
        if (stat(directory_.c_str(), &about) == 0 && !S_ISDIR(about.st_mode))
            setup.error("{} is not a directory", directory_);
    }

    DeliveryResult deliver(const Delivery& delivery) {
        Content content(delivery.message(), writes_lf(delivery.envelope()));
        if (auto read = content.read(); !read) return failure(delivery, read.error());

        // The recipients of one RCPT share a fate. A recipient that a plugin added has no reply: if its copy fails, all
        // recipients are deferred.
        std::map<std::uint32_t, Recipients> apart;
        Recipients together;
        const bool has_one_fate = options_.pattern.empty() || !delivery.replies_to_each();
        for (const auto& recipient : delivery.recipients())
            (has_one_fate || recipient.rcpt_number() == 0 ? together : apart[recipient.rcpt_number()])
                .push_back(&recipient);

        DeliveryResult result = try_again();
        std::vector<Copy> copies;
        for (const auto& [number, recipients] : apart) {
            const std::size_t before = copies.size();
            const auto stored = store(delivery, content, recipients, copies);
            if (stored) set_delivered(result, recipients, std::span(copies).subspan(before));
            else
                for (const Recipient* recipient : recipients) result[*recipient] = failure(delivery, stored.error());
        }
        if (copies.empty() && !apart.empty()) return result;
        const std::size_t before = copies.size();
        if (auto stored = store(delivery, content, together, copies); !stored) {
            const Fate why = failure(delivery, stored.error());
            return apart.empty() ? why : try_again();  // the client would take the reason for another recipient's
        }
        set_delivered(result, together, std::span(copies).subspan(before));
        for (Copy& copy : copies) copy.keep();
        for (const Copy& copy : copies) delivery.log(LogLevel::debug, "queued as {}", copy.file());
        return result;
    }

    /// The copies for these recipients: one each, or one for all.
    static void set_delivered(DeliveryResult& result, const Recipients& recipients, std::span<const Copy> copies) {
        for (std::size_t i = 0; i < recipients.size(); ++i)
            result[*recipients[i]] = delivered().in(copies[copies.size() == 1 ? 0 : i].file());
    }

    /// Logs the reason, and returns the fate for it. By RFC 3463, x.2.2 (mailbox full) is a fault that the mailbox's
    /// owner can correct.
    Fate failure(const Delivery& delivery, const Error& error) const {
        delivery.log(LogLevel::error, "error: {}", error.what);
        const bool is_quota = error.os_status == EDQUOT && !options_.pattern.empty();
        Fate fate = is_quota                            ? deferred(status::mbox_full).with_code(452)
                    : error.code == ErrorCode::no_space ? deferred(status::sys_disk_full).with_code(452)
                                                        : try_again();
        return std::move(fate).because("{}", error.what);
    }

    static Fate try_again() {
        return deferred("Cannot store the message now, try again later").with_code(451).with_status({4, 3, 0});
    }

    /// Adds copies for these recipients; they are safe in new when it returns. After an error it adds none, and no file
    /// is left.
    Result<void> store(const Delivery& delivery, const Content& content, const Recipients& recipients,
                       std::vector<Copy>& safe) {
        std::vector<Copy> copies;
        if (options_.pattern.empty()) {
            if (auto made = add_copy(delivery, content, folder_of(delivery, directory_), recipients, copies); !made)
                return made;
        } else {
            for (const Recipient* recipient : recipients)
                if (auto made = add_copy(delivery, content, folder_of(delivery, maildir_of(*recipient)), {recipient},
                                         copies);
                    !made)
                    return made;
        }
        for (Copy& copy : copies)
            if (auto moved = move_to_new(copy); !moved) return moved;
        if (options_.fsync)
            for (const Copy& copy : copies)
                if (auto synced = copy.sync_new(); !synced) return synced;
        for (Copy& copy : copies) safe.push_back(std::move(copy));
        return {};
    }

    /// Where a message in quarantine belongs, or any other one.
    std::string folder_of(const Delivery& delivery, std::string maildir) const {
        const bool is_junk = !options_.junk.empty() && delivery.message().headers().count("X-Quarantine") > 0;
        return is_junk ? maildir + "/" + options_.junk : maildir;
    }

    std::string maildir_of(const Recipient& recipient) const {
        const Address& address = recipient.address();
        // Only `postmaster` has no domain; it is in ours.
        const std::string domain = address.has_domain() ? address.domain_key() : own_domain_;
        std::string path = directory_ + "/";
        for (std::size_t i = 0; i < options_.pattern.size(); ++i) {
            if (options_.pattern[i] != '%') {
                path += options_.pattern[i];
                continue;
            }
            const char what = options_.pattern[++i];
            path += what == 'l'   ? path_safe(address.local_key())
                    : what == 'd' ? path_safe(domain)
                    : what == 'u' ? path_safe(address.local_key() + "@" + domain)
                                  : "%";
        }
        return path;
    }

    Result<void> add_copy(const Delivery& delivery, const Content& content, const std::string& maildir,
                          const Recipients& recipients, std::vector<Copy>& copies) {
        if (auto ready = prepare(maildir); !ready) return ready;
        Copy& copy = copies.emplace_back(maildir);
        auto file = create_file(delivery.clock().wall(), copy);
        if (!file) return file.error();
        if (auto written = content.write(file->get(), fields_on_top(delivery.envelope(), recipients)); !written)
            return Error{written.error().code, maildir + "/tmp: " + written.error().what, written.error().os_status};
        if (options_.fsync && ::fsync(file->get()) != 0)
            return os_error("cannot force a file in " + maildir + "/tmp to the disk", errno);
        if (const int problem = file->close(); problem != 0)
            return os_error("cannot write a file in " + maildir + "/tmp", problem);
        return {};
    }

    Result<FileDescriptor> create_file(std::chrono::system_clock::time_point when, Copy& copy) {
        for (int attempt = 1;; ++attempt) {
            auto file = copy.create(unique_name(when), file_mode_);
            if (file || attempt == attempts) return file;
            if (file.error().code == ErrorCode::not_found) {  // the folder was removed after this process had seen it
                if (auto ready = prepare(copy.maildir(), true); !ready) return ready.error();
            } else if (file.error().os_status != EEXIST) {
                return file;
            }
        }
    }

    Result<void> move_to_new(Copy& copy) {
        auto moved = copy.move_to_new();
        if (moved || moved.error().code != ErrorCode::not_found) return moved;
        if (auto ready = prepare(copy.maildir(), true); !ready) return ready;
        return copy.move_to_new();
    }

    std::string unique_name(std::chrono::system_clock::time_point when) {
        const auto microseconds =
            std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
        return format_text("{}.P{}M{}Q{}R{}.{}", microseconds / 1000000, getpid(), microseconds % 1000000,
                           ++files_made_, process_tag_, host_);
    }

    /// In a BINARYMIME message it is unknown which CRLF is a line end.
    bool writes_lf(const Envelope& envelope) const noexcept {
        return options_.newline == Newline::lf && !envelope.is_binarymime();
    }

    std::string fields_on_top(const Envelope& envelope, const Recipients& recipients) const {
        const char* line_end = writes_lf(envelope) ? "\n" : "\r\n";
        std::string fields = "Return-Path: " + envelope.sender.path() + line_end;
        for (const Recipient* recipient : recipients)
            fields += "Delivered-To: " + recipient->address().to_string() + line_end;
        return fields;
    }

    /// Creates the missing folders of a Maildir. When this process sees a Maildir for the first time, it also makes the
    /// folders above it durable, because another process may have created them just before.
    Result<void> prepare(const std::string& maildir, bool again = false) {
        if (!again && is_known(maildir)) return {};
        if (auto made = make_folder(directory_); !made) return made;
        for (auto end = directory_.size(); end < maildir.size();) {
            end = std::min(maildir.find('/', end + 1), maildir.size());
            if (auto made = make_folder(maildir.substr(0, end)); !made) return made;
        }
        for (const char* part : {"/tmp", "/new", "/cur"})
            if (auto made = make_folder(maildir + part); !made) return made;
        remember(maildir);
        return {};
    }

    Result<void> make_folder(const std::string& path) const {
        const bool is_new = mkdir(path.c_str(), folder_mode_) == 0;
        if (!is_new && errno != EEXIST) return os_error("cannot make " + path, errno);
        if (is_new && chmod(path.c_str(), folder_mode_) != 0)
            return os_error("cannot set the permissions of " + path, errno);
        // The folders above the configured directory are not ours; they may not even be readable.
        if (!options_.fsync || (path == directory_ && !is_new)) return {};
        const auto slash = path.rfind('/');
        return sync_folder(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
    }

    bool is_known(const std::string& maildir) {
        const std::lock_guard lock(mutex_);
        return known_.contains(maildir);
    }
    void remember(const std::string& maildir) {
        constexpr std::size_t most = 100000;
        const std::lock_guard lock(mutex_);
        if (known_.size() >= most) known_.clear();
        known_.insert(maildir);
    }

    const Options options_;
    const std::string directory_;
    const mode_t folder_mode_;
    const mode_t file_mode_;
    const std::string host_;
    const std::string own_domain_;  ///< for an address without a domain, which only `postmaster` may be
    std::string process_tag_ = "0";
    std::atomic<std::uint64_t> files_made_{0};
    std::mutex mutex_;
    std::unordered_set<std::string> known_;  ///< Maildirs whose folders are on the disk
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("queue/maildir", smtpd::plugins::Maildir);
