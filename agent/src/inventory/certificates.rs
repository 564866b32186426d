//! Certificates in the files where servers have theirs: the first of each file, with its names and its end.

use ring::digest::{SHA256, digest};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

/// Directories and how deep they are looked into.
const PLACES: [(&str, usize); 14] = [
    ("/etc/letsencrypt/live", 1),
    ("/etc/ssl/private", 1),
    ("/etc/ssl/local", 1),
    ("/etc/pki/tls/certs", 0),
    ("/etc/pki/nginx", 1),
    ("/etc/nginx", 2),
    ("/etc/apache2", 2),
    ("/etc/httpd", 2),
    ("/etc/haproxy", 2),
    ("/etc/caddy", 2),
    ("/etc/postfix", 1),
    ("/etc/dovecot", 2),
    ("/etc/kubernetes/pki", 1),
    ("/var/lib/caddy/.local/share/caddy/certificates", 2),
];
/// Endings of files that hold certificates.
const ENDINGS: [&str; 4] = [".pem", ".crt", ".cer", ".cert"];
/// What authorities are trusted is the distribution's, and what lies beside a certificate says it again.
const LEFT_OUT: [&str; 6] =
    ["ca-bundle", "ca-bundle.trust.crt", "ca-certificates.crt", "chain.pem", "fullchain.pem", "privkey.pem"];
/// Files looked into.
const FILES_MAX: usize = 2_000;

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("files in /etc");
    let mut left = FILES_MAX;
    for (directory, depth) in PLACES {
        walk(host, directory, depth, &mut left, sheet);
    }
    if left == 0 {
        sheet.lacks(format!("more than {FILES_MAX} files: the rest is not looked into"));
    }
    Ok(())
}

fn walk(host: &Host, directory: &str, depth: usize, left: &mut usize, sheet: &mut Sheet) {
    let names = match host.list(directory) {
        Ok(names) => names,
        Err(HostError::Unreadable { .. }) => {
            sheet.lacks(format!("{directory} may not be read"));
            return;
        }
        // A file, or nothing.
        Err(_) => return,
    };
    for name in names {
        let path = format!("{directory}/{name}");
        let ends = ENDINGS.iter().any(|ending| name.ends_with(ending));
        if ends && !LEFT_OUT.iter().any(|left_out| name.starts_with(left_out)) {
            if *left == 0 {
                return;
            }
            *left -= 1;
            file(host, &path, sheet);
        } else if depth > 0 && !ends {
            walk(host, &path, depth - 1, left, sheet);
        }
    }
}

fn file(host: &Host, path: &str, sheet: &mut Sheet) {
    let mut bytes = Vec::new();
    match host.read(path, &mut bytes) {
        Ok(()) => {}
        Err(HostError::Unreadable { .. }) => return sheet.lacks(format!("{path} may not be read")),
        Err(_) => return,
    }
    let first = Pem::iter_from_buffer(&bytes).flatten().find(|pem| pem.label.ends_with("CERTIFICATE"));
    let der = match first {
        Some(pem) => pem.contents,
        // A file of a key alone, or of the binary form.
        None if bytes.first() == Some(&0x30) => bytes,
        None => return,
    };
    if let Ok((_, certificate)) = X509Certificate::from_der(&der) {
        sheet.row(row(path, &certificate, &der));
    }
}

fn row(path: &str, certificate: &X509Certificate<'_>, der: &[u8]) -> Row {
    let names = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = names.map_or_else(Vec::new, |names| {
        let of = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            _ => None,
        };
        names.value.general_names.iter().filter_map(of).collect()
    });
    names.sort_unstable();
    let print: String = digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let at = |seconds: i64| date::spelled(seconds).unwrap_or_default();
    let (subject, issuer) = (certificate.subject().to_string(), certificate.issuer().to_string());
    let own = certificate.subject().as_raw() == certificate.issuer().as_raw();
    Row::new(path)
        .durable("path", path)
        .durable("subject", subject)
        .durable("issuer", issuer)
        .durable("serial", certificate.raw_serial_as_string())
        .durable("names", names.join(","))
        .durable("not_before", at(certificate.validity().not_before.timestamp()))
        .durable("not_after", at(certificate.validity().not_after.timestamp()))
        .durable("self_signed", if own { "yes" } else { "no" })
        .durable("authority", if certificate.is_ca() { "yes" } else { "" })
        .durable("sha256", print)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn a_servers_certificate_says_its_names_and_its_end() {
        let machine = Machine::new();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["b.example.org".into(), "a.example.org".into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 2);
        params.not_after = rcgen::date_time_ymd(2025, 4, 2);
        let certificate = params.self_signed(&key).unwrap();
        machine.file("etc/letsencrypt/live/a.example.org/cert.pem", certificate.pem());
        machine.file("etc/letsencrypt/live/a.example.org/privkey.pem", key.serialize_pem());
        machine.file("etc/nginx/ssl/key.pem", key.serialize_pem());
        let section = machine.section("certificates");
        assert_eq!(section.rows.len(), 1, "{section:?}");
        let row = &section.rows[0];
        assert_eq!(row.key, "/etc/letsencrypt/live/a.example.org/cert.pem");
        assert_eq!(row.get("names"), Some("a.example.org,b.example.org"));
        assert_eq!(row.get("not_after"), Some("2025-04-02T00:00:00Z"));
        assert_eq!(row.get("self_signed"), Some("yes"));
    }
}
