//! Mails with documents, through the server of a receiver of kind email. One mail for each recipient; a repeated one carries
//! the same Message-ID.

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
};

use super::{
    email::{self, EmailConfig, EmailError},
    receiver::{Sent, plain_id},
};

/// What one gets.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The same in each try, and in no other letter.
    pub id: String,
    /// In a line.
    pub subject: String,
    /// In plain words.
    pub text: String,
    /// What is enclosed.
    pub enclosures: Vec<Enclosure>,
}

/// A file in a letter.
#[derive(Debug, Clone)]
pub struct Enclosure {
    /// Its name.
    pub name: String,
    /// What it is (RFC 2046).
    pub media_type: &'static str,
    /// All of it.
    pub body: Vec<u8>,
}

/// The way to a mail server.
pub struct Post {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Post {
    /// That of the receiver of this name.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(receiver: &str, config: &EmailConfig) -> Result<Self, EmailError> {
        Ok(Self { from: config.from.clone(), transport: email::transport(receiver, config)? })
    }

    /// Tries once to have a letter taken. [`Sent::Retry`] is also said where its answer was lost.
    pub async fn send(&self, letter: &Letter, to: &str) -> Sent {
        let (envelope, mail) = match self.written(letter, to) {
            Ok(written) => written,
            Err(error) => return Sent::Rejected { error: format!("the mail cannot be written: {error}") },
        };
        match self.transport.send_raw(&envelope, &mail).await {
            Ok(response) => Sent::Accepted { provider_id: email::answer(&response) },
            Err(error) if email::refuses_recipient(&error) => Sent::Rejected { error: email::said(&error) },
            Err(error) if error.is_response() => Sent::Refused { error: email::said(&error) },
            Err(error) => Sent::Retry { error: email::said(&error), after: None },
        }
    }

    fn written(&self, letter: &Letter, to: &str) -> Result<(Envelope, Vec<u8>), Box<dyn std::error::Error>> {
        let to: Mailbox = to.parse()?;
        let mut parts = MultiPart::mixed().singlepart(SinglePart::plain(letter.text.replace('\n', "\r\n") + "\r\n"));
        for enclosure in &letter.enclosures {
            let media_type = ContentType::parse(enclosure.media_type)?;
            parts = parts.singlepart(Attachment::new(enclosure.name.clone()).body(enclosure.body.clone(), media_type));
        }
        let domain = self.from.email.domain();
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to.clone())
            .subject(letter.subject.clone())
            .message_id(Some(format!("<{}@{domain}>", plain_id(&letter.id))))
            .raw_header(email::header("Auto-Submitted", "auto-generated")) // RFC 3834
            .raw_header(email::header("X-Auto-Response-Suppress", "All"))
            .multipart(parts)?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![Address::clone(&to.email)])?;
        Ok((envelope, mail.formatted()))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::email::Encryption, *};

    fn letter(subject: &str) -> (Envelope, String) {
        let from: Mailbox = "Muster <muster@example.org>".parse().unwrap();
        let config = EmailConfig {
            server: "127.0.0.1".into(),
            port: 25,
            encryption: Encryption::None,
            login: None,
            from: from.clone(),
            to: vec![from],
            ca: None,
        };
        let letter = Letter {
            id: "report-7@x\r\nBcc: all".into(),
            subject: subject.into(),
            text: "Kept.\nAll of it.".into(),
            enclosures: vec![Enclosure {
                name: "Büro-2026-10.json".into(),
                media_type: "application/json",
                body: b"{\"a\": \"\xc3\xbc\"}\n".to_vec(),
            }],
        };
        let (envelope, mail) = Post::new("mail", &config).unwrap().written(&letter, "IT <it@example.org>").unwrap();
        (envelope, String::from_utf8(mail).unwrap())
    }

    #[tokio::test]
    async fn a_letter_encloses_its_files_and_says_that_nobody_has_to_answer() {
        let (envelope, mail) = letter("Büro, October 2026: met");
        assert_eq!(envelope.to()[0].to_string(), "it@example.org");
        for part in [
            "Message-ID: <report-7-x--Bcc--all@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: =?utf-8?b?",
            "Content-Type: multipart/mixed",
            "Kept.\r\nAll of it.\r\n",
            "Content-Type: application/json\r\n",
            "Content-Disposition: attachment;\r\n filename*",
        ] {
            assert!(mail.contains(part), "{part} in\n{mail}");
        }
        assert!(mail.lines().all(|line| line.len() <= 998), "RFC 5322");
    }

    #[tokio::test]
    async fn no_name_of_an_agreement_becomes_a_header() {
        let (_, mail) = letter("met\r\nBcc: everybody@example.org");
        assert!(!mail.lines().any(|line| line.starts_with("Bcc")), "{mail}");
    }
}
