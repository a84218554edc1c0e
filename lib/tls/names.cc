#include "tls/names.h"

#include <openssl/x509.h>

#include "base/text.h"
#include "tls/boring.h"

namespace weft::tls {
namespace {

std::string text_of(const ASN1_STRING* string) {
  return std::string(
      view_of(ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))));
}

std::string_view kind_of(int type) {
  switch (type) {
    case GEN_EMAIL:
      return "email";
    case GEN_IPADD:
      return "IP address";
    case GEN_DIRNAME:
      return "directory name";
    case GEN_RID:
      return "registered id";
    default:
      return "other name";
  }
}

bool push(GENERAL_NAMES* names, int type, const std::string& text) {
  bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
  bssl::UniquePtr<ASN1_IA5STRING> value(ASN1_IA5STRING_new());
  if (!name || !value || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1)
    return false;
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  return bssl::PushToStack(names, std::move(name));
}

}  // namespace

Result<AlternativeNames> read_names(const GENERAL_NAMES* names) {
  constexpr std::size_t names_max = 64;
  AlternativeNames out;
  const std::size_t count = sk_GENERAL_NAME_num(names);
  if (count > names_max) return fail(Code::limit, "more than 64 subject alternative names");
  for (std::size_t i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) {
      out.uris.push_back(text_of(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      out.dns_names.push_back(text_of(name->d.dNSName));
    } else {
      out.other.emplace_back(kind_of(name->type));
    }
  }
  return out;
}

bssl::UniquePtr<X509_EXTENSION> make_names(const std::vector<std::string>& uris,
                                           const std::vector<std::string>& dns_names, bool critical) {
  bssl::UniquePtr<GENERAL_NAMES> names(GENERAL_NAMES_new());
  if (!names) return nullptr;
  for (const auto& uri : uris) {
    if (!push(names.get(), GEN_URI, uri)) return nullptr;
  }
  for (const auto& dns : dns_names) {
    if (!push(names.get(), GEN_DNS, dns)) return nullptr;
  }
  return bssl::UniquePtr<X509_EXTENSION>(X509V3_EXT_i2d(NID_subject_alt_name, critical ? 1 : 0, names.get()));
}

}  // namespace weft::tls
