// The signing key: made once, kept private, shared by those who race for it; or supplied, and then checked.
#include "ca/authority.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "base/text.h"
#include "ca/files.h"
#include "ca/token.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_disk.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;

const WallTime now = WallTime(1780315200s);
const SpiffeId id_a{"cluster.local", "default", "a"};

std::string why(const Result<std::unique_ptr<Authority>>& authority) {
  return authority ? "accepted" : authority.error().message;
}
#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

unsigned mode_of(const std::string& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return facts.st_mode & 07777;
}

TEST(KeyFile, IsMadeOnceWithMode0600AndReadAgain) {
  const test::TempDir folder;
  const auto path = folder / "ca.pem";
  const auto first = Authority::from_key_file(path, "cluster.local", now);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(mode_of(path), 0600u);
  const auto second = Authority::from_key_file(path, "cluster.local", now + 24h);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ((*first)->roots_pem(), (*second)->roots_pem());
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "a draft was left behind";
}

TEST(KeyFile, ManyWhoRaceForItShareOneKey) {
  for (int round = 0; round < 20; ++round) {
    const test::TempDir folder;
    const auto path = folder / "ca.pem";
    std::vector<std::string> roots(8);
    std::vector<std::thread> threads;
    for (auto& root : roots) {
      threads.emplace_back([&path, &root] {
        const auto authority = Authority::from_key_file(path, "cluster.local", now);
        root = authority ? (*authority)->roots_pem() : authority.error().message;
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& root : roots) EXPECT_EQ(root, roots.front());
    EXPECT_TRUE(roots.front().starts_with("-----BEGIN CERTIFICATE-----")) << roots.front();
  }
}

TEST(KeyFile, RefusesWhatCannotBeUsedAndSaysWhy) {
  const test::TempDir folder;
  const auto path = folder / "ca.pem";
  ASSERT_TRUE(Authority::from_key_file(path, "cluster.local", now));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TEXT(why(Authority::from_key_file(path, "cluster.local", now)), "its mode is 0644");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_TEXT(why(Authority::from_key_file(path, "other", now)), "but the trust domain is other");
  EXPECT_TEXT(why(Authority::from_key_file(path, "cluster.local", now + 24h * 3660)), "expired at");
  EXPECT_TEXT(why(Authority::from_key_file(path, "cluster.local", now - 24h)), "not valid before");
  EXPECT_TEXT(why(Authority::from_key_file(folder / "no/such/folder.pem", "cluster.local", now)),
              "No such file");
  EXPECT_TEXT(why(Authority::from_key_file(folder.path(), "cluster.local", now)), "read " + folder.path());
  for (const char* content :
       {"", "garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}) {
    const auto bad = folder.write("bad.pem", content);
    ::chmod(bad.c_str(), 0600);
    EXPECT_TEXT(why(Authority::from_key_file(bad, "cluster.local", now)), "private key") << content;
  }
}

TEST(KeyFile, NeverReplacesOne) {
  const test::TempDir folder;
  const auto path = folder.write("ca.pem", "there already");
  const auto created = create_secret_file(path, {"secret"});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Code::exists);
  EXPECT_EQ(read_file(path, 100).value(), "there already");
}

// A limit on the size of files stands in for a full disk: the write fails half-way.
TEST(KeyFile, AFullDiskLeavesNothingBehind) {
  const test::TempDir folder;
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const rlimit full{100, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const auto authority = Authority::from_key_file(folder / "ca.pem", "cluster.local", now);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_TEXT(why(authority), "make the CA's key: write ");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(KeyFile, OnADiskWithoutAnyRoomTheErrorSaysSoAndNothingIsLeftBehind) {
  const test::TempDir folder;
  const bool ran = test::on_tiny_disk(folder.path(), 16 * 1024, [&folder] {
    test::fill_disk(folder.path());
    const auto authority = Authority::from_key_file(folder / "ca.pem", "cluster.local", now);
    EXPECT_TEXT(why(authority), "make the CA's key: write ");
    EXPECT_TEXT(why(authority), "No space left on device");
    const auto files = std::filesystem::directory_iterator(folder.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "beside the filler";
    // There is room again: the key is made as if nothing had been.
    std::filesystem::remove(folder / "filler");
    EXPECT_TRUE(Authority::from_key_file(folder / "ca.pem", "cluster.local", now));
  });
  if (!ran) GTEST_SKIP() << "a file system of its own takes root";
}

TEST(Issue, GivesLeafFirstAndRootLast) {
  const test::TempDir folder;
  const auto authority = Authority::from_key_file(folder / "ca.pem", "cluster.local", now).value();
  const auto key = tls::PrivateKey::generate().value();
  const auto issued = authority->issue(id_a, key.public_key(), {}, 1h, now).value();
  ASSERT_EQ(issued.chain.size(), 2u);
  EXPECT_EQ(tls::Certificate::from_pem(issued.chain[0]).value(), issued.leaf);
  EXPECT_EQ(issued.chain[1], authority->roots_pem());
  EXPECT_EQ(issued.leaf.not_after(), now + 1h);
  EXPECT_EQ(issued.leaf.spiffe_id().value(), id_a);
  const auto bundle = tls::TrustBundle::from_pem(authority->roots_pem(), "cluster.local").value();
  EXPECT_FALSE(tls::verify_chain({issued.leaf}, *bundle, tls::Purpose::server, now));
  EXPECT_FALSE(tls::verify_chain({issued.leaf}, *bundle, tls::Purpose::client, now));
}

// What a user's own PKI gives: a root, an intermediate for the mesh, and its key.
struct Supplied {
  test::TempDir folder;
  tls::PrivateKey root_key = tls::PrivateKey::generate().value();
  tls::PrivateKey key = tls::PrivateKey::generate().value();
  tls::Certificate root = make("corporate root", root_key, nullptr, root_key, 24h * 3650);
  tls::Certificate intermediate = make("mesh CA", key, &root, root_key, 24h * 30);

  static tls::Certificate make(const std::string& name, const tls::PrivateKey& of,
                               const tls::Certificate* issuer, const tls::PrivateKey& by, Duration lifetime) {
    tls::CertificateTemplate tmpl;
    tmpl.serial = tls::random_serial();
    tmpl.common_name = name;
    tmpl.not_before = now - 24h;
    tmpl.not_after = now + std::chrono::duration_cast<WallTime::duration>(lifetime);
    tmpl.is_ca = true;
    return tls::sign_certificate(tmpl, of.public_key(), issuer, by).value();
  }
  void write(std::string_view name, std::string_view text) const {
    const auto path = folder.write(name, text);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  }
  void write_all() const {
    write("ca-key.pem", key.to_pem().view());
    write("ca-cert.pem", intermediate.to_pem());
    write("root-cert.pem", root.to_pem());
    write("cert-chain.pem", intermediate.to_pem() + root.to_pem());
  }
  auto load() const { return Authority::from_folder(folder.path(), "cluster.local", now); }
};

TEST(Folder, IssuesUnderTheSuppliedIntermediate) {
  const Supplied supplied;
  supplied.write_all();
  const auto authority = supplied.load();
  ASSERT_TRUE(authority) << authority.error().message;
  const auto key = tls::PrivateKey::generate().value();
  const auto issued = (*authority)->issue(id_a, key.public_key(), {}, {}, now).value();
  ASSERT_EQ(issued.chain.size(), 3u);
  EXPECT_EQ(issued.chain[1], supplied.intermediate.to_pem());
  EXPECT_EQ(issued.chain[2], supplied.root.to_pem());
  EXPECT_EQ((*authority)->not_after(), now + 24h * 30);
}

TEST(Folder, NeedsNoChainFile) {
  const Supplied supplied;
  supplied.write_all();
  std::filesystem::remove(supplied.folder / "cert-chain.pem");
  const auto authority = supplied.load();
  ASSERT_TRUE(authority) << authority.error().message;
  const auto key = tls::PrivateKey::generate().value();
  EXPECT_EQ((*authority)->issue(id_a, key.public_key(), {}, {}, now).value().chain.size(), 3u);
}

TEST(Folder, CapsLeavesToTheFirstCertificateToExpire) {
  Supplied supplied;
  supplied.intermediate = Supplied::make("mesh CA", supplied.key, &supplied.root, supplied.root_key, 2h);
  supplied.write_all();
  const auto authority = supplied.load().value();
  const auto key = tls::PrivateKey::generate().value();
  EXPECT_EQ(authority->issue(id_a, key.public_key(), {}, {}, now).value().leaf.not_after(), now + 2h);
}

TEST(Folder, RefusesWhatDoesNotFitTogether) {
  {
    const Supplied supplied;
    EXPECT_TEXT(why(supplied.load()), "ca-key.pem: No such file");
  }
  {
    const Supplied supplied;
    supplied.write_all();
    supplied.write("ca-key.pem", tls::PrivateKey::generate().value().to_pem().view());
    EXPECT_TEXT(why(supplied.load()), "does not belong to the signing certificate");
  }
  {
    const Supplied supplied;
    const Supplied other;
    supplied.write_all();
    supplied.write("root-cert.pem", other.root.to_pem());
    supplied.write("cert-chain.pem", "");
    EXPECT_TEXT(why(supplied.load()), "no trust root signed");
  }
  {
    const Supplied supplied;
    supplied.write_all();
    supplied.write("root-cert.pem", "garbage");
    EXPECT_TEXT(why(supplied.load()), "root-cert.pem");
  }
  {
    const Supplied supplied;
    supplied.write_all();
    ASSERT_EQ(::chmod((supplied.folder / "ca-key.pem").c_str(), 0644), 0);
    EXPECT_TEXT(why(supplied.load()), "its mode is 0644");
  }
}

TEST(ReplaceFile, ReplacesAndIsReadableByAll) {
  const test::TempDir folder;
  const auto path = folder / "root-cert.pem";
  ASSERT_TRUE(replace_file(path, "one"));
  ASSERT_TRUE(replace_file(path, "two"));
  EXPECT_EQ(read_file(path, 100).value(), "two");
  EXPECT_EQ(mode_of(path), 0644u);
  EXPECT_EQ(read_file(path, 2).error().code, Code::limit);
}

// ---- token keys ----

TEST(TokenKeys, StayTheLastGoodOnesWhenTheFileIsBroken) {
  const test::TempDir folder;
  const auto issuer = tls::PrivateKey::generate().value();
  const auto token =
      tls::sign_jwt(
          str_cat(R"({"aud":"weft-ca","exp":)",
                  std::chrono::duration_cast<std::chrono::seconds>((now + 1h).time_since_epoch()).count(),
                  "}"),
          "k1", issuer)
          .value();
  TokenVerifier tokens(folder / "jwks.json", {{"weft-ca"}, ""});
  const auto missing = tokens.reload();
  ASSERT_FALSE(missing);
  EXPECT_TEXT(missing.error().message, "no token can be checked yet");
  EXPECT_EQ(tokens.verify(token, now).error().code, Code::unavailable);

  folder.write("jwks.json", tls::jwks_of(issuer.public_key(), "k1").value());
  ASSERT_TRUE(tokens.reload());
  EXPECT_TRUE(tokens.verify(token, now));

  folder.write("jwks.json", "{");
  EXPECT_TEXT(tokens.reload().error().message, "the last good keys stay");
  EXPECT_TRUE(tokens.verify(token, now));

  folder.write("jwks.json", tls::jwks_of(tls::PrivateKey::generate().value().public_key(), "k2").value());
  ASSERT_TRUE(tokens.reload());
  EXPECT_EQ(tokens.verify(token, now).error().code, Code::refused);
}

}  // namespace
}  // namespace weft::ca
