//! Has the certificate of a TLS server enough days left, and is it for the right name? Who has made it is not judged.

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use tokio::net::TcpStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tls;
use crate::check::{Certificate, Outcome, Status};

const DAY_S: i64 = 86_400;

pub(super) async fn run(check: &Certificate, now_s: i64) -> Outcome {
    match shown(check).await {
        Ok(certificate) => judge(check, &certificate, now_s),
        Err(error) => Outcome::new(Status::Critical, format!("{}: {error}", check.address)),
    }
}

/// The certificate that the server shows.
async fn shown(check: &Certificate) -> Result<CertificateDer<'static>, String> {
    let stream = TcpStream::connect(&check.address).await.map_err(|error| error.to_string())?;
    let stream = tls::connect(tls::looking(), &check.server_name, stream).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    let first = certificates.and_then(<[CertificateDer<'_>]>::first).ok_or("it shows no certificate")?;
    Ok(first.clone().into_owned())
}

fn judge(check: &Certificate, certificate: &CertificateDer<'_>, now_s: i64) -> Outcome {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Outcome::new(Status::Critical, format!("{}: its certificate cannot be read", check.address));
    };
    let (from_s, until_s) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    let days = (until_s - now_s).div_euclid(DAY_S);
    let is_for = |name: &str| {
        let (parsed, name) = (ParsedCertificate::try_from(certificate).ok()?, ServerName::try_from(name).ok()?);
        verify_server_name(&parsed, &name).ok()
    };
    let (status, words) = if now_s > until_s {
        (Status::Critical, format!("expired {} days ago", (now_s - until_s) / DAY_S))
    } else if now_s < from_s {
        (Status::Critical, "is not valid yet".to_owned())
    } else if is_for(&check.server_name).is_none() {
        (Status::Critical, format!("is not for {}", check.server_name))
    } else if days < i64::from(check.critical_days) {
        (Status::Critical, format!("expires in {days} days"))
    } else if days < i64::from(check.warning_days) {
        (Status::Warning, format!("expires in {days} days"))
    } else {
        (Status::Ok, format!("is valid for {days} more days"))
    };
    let outcome = Outcome::new(status, format!("the certificate of {} {words}", check.address));
    Outcome { expires_s: Some(until_s), ..outcome }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// The status of a certificate for `a.example` that is valid for these days around now, asked for `name`.
    fn status(from_days: i64, until_s: i64, name: &str) -> (Status, String) {
        let now_s = 1_790_000_000;
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let at = |s: i64| rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(u64::try_from(s).unwrap());
        params.not_before = at(now_s + from_days * DAY_S);
        params.not_after = at(now_s + until_s);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let check = Certificate {
            address: "a.example:443".into(),
            server_name: name.into(),
            warning_days: 30,
            critical_days: 7,
        };
        let outcome = judge(&check, made.der(), now_s);
        assert_eq!(outcome.expires_s, Some(now_s + until_s));
        (outcome.status, outcome.output)
    }

    #[test]
    fn days_left_are_judged_to_the_second_and_the_name_with_them() {
        let status_of = |until_s| status(-10, until_s, "a.example").0;
        assert_eq!(status_of(30 * DAY_S), Status::Ok);
        assert_eq!(status_of(30 * DAY_S - 1), Status::Warning);
        assert_eq!(status_of(7 * DAY_S), Status::Warning);
        assert_eq!(status_of(7 * DAY_S - 1), Status::Critical);
        assert_eq!(status_of(-1), Status::Critical);
        assert_eq!(status(-10, 90 * DAY_S, "b.example").0, Status::Critical);
        assert_eq!(status(1, 90 * DAY_S, "a.example").1, "the certificate of a.example:443 is not valid yet");
    }
}
