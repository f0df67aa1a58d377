//! Four-letter words: what an operator types into a bare connection, and what comes back
//! (ZK: `FourLetterCommands`).

use super::clients::Client;
use super::settings::conf;
use super::{environment, status, watches};
use crate::config::FourLetterWords;
use crate::server::{Conn, Shared};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FirstBytes {
    /// No word, or not yet: they belong to a frame.
    Other,
    /// A word whose argument is not there in full.
    Unfinished,
    /// A word. This is all the answer; the connection ends with it.
    Answered(String),
}

/// What telnet sends when its user ends it. As the length of a frame it is negative.
const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];
/// The name under which the configuration can enable that.
const TELNET_CLOSE_NAME: &str = "telnet close";

/// What most words are answered while clients are not served.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// A word that is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Conf,
    Cons,
    Crst,
    Dirs,
    Dump,
    Envi,
    Gtmk,
    Hash,
    Isro,
    Mntr,
    Ruok,
    Srst,
    Srvr,
    Stat,
    /// With the mask to set.
    Stmk(i64),
    Wchc,
    Wchp,
    Wchs,
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// No word, or one without an answer.
    Other,
    /// A word whose argument is not there in full.
    Unfinished,
    /// A word that must not be answered, by its name.
    Forbidden(&'static str),
    /// A word.
    Word(Word),
}

/// Reads the first bytes of a connection.
fn read(input: &[u8], enabled: &FourLetterWords) -> Reading {
    let Some((word, rest)) = input.split_first_chunk() else { return Reading::Other };
    if *word == TELNET_CLOSE {
        // ZooKeeper knows it without having an answer, so enabling it leaves a broken frame.
        let all = FourLetterWords::ALL.iter().all(|word| enabled.is_enabled(word));
        let enabled = all || enabled.is_enabled(TELNET_CLOSE_NAME);
        return if enabled { Reading::Other } else { Reading::Forbidden(TELNET_CLOSE_NAME) };
    }
    match FourLetterWords::ALL.iter().find(|known| known.as_bytes() == word) {
        None => Reading::Other,
        Some(name) if !enabled.is_enabled(name) => Reading::Forbidden(name),
        Some(_) => read_word(*word, rest),
    }
}

fn read_word(word: [u8; 4], rest: &[u8]) -> Reading {
    Reading::Word(match &word {
        b"conf" => Word::Conf,
        b"cons" => Word::Cons,
        b"crst" => Word::Crst,
        b"dirs" => Word::Dirs,
        b"dump" => Word::Dump,
        b"envi" => Word::Envi,
        b"gtmk" => Word::Gtmk,
        b"hash" => Word::Hash,
        b"isro" => Word::Isro,
        b"mntr" => Word::Mntr,
        b"ruok" => Word::Ruok,
        b"srst" => Word::Srst,
        b"srvr" => Word::Srvr,
        b"stat" => Word::Stat,
        b"stmk" => match rest.first_chunk() {
            Some(mask) => Word::Stmk(i64::from_be_bytes(*mask)),
            None => return Reading::Unfinished,
        },
        b"wchc" => Word::Wchc,
        b"wchp" => Word::Wchp,
        b"wchs" => Word::Wchs,
        _ => return Reading::Other,
    })
}

impl Shared {
    /// Looks for a four-letter word in all that has arrived on a fresh connection, and answers it.
    pub(crate) fn four_letter_word(&self, input: &[u8], conn: &Conn) -> FirstBytes {
        let answer = match read(input, &self.config.four_letter) {
            Reading::Other => return FirstBytes::Other,
            Reading::Unfinished => return FirstBytes::Unfinished,
            Reading::Forbidden(word) => {
                self.note_word(conn);
                format!("{word} is not executed because it is not in the whitelist.\n")
            }
            Reading::Word(word) => {
                tracing::debug!("{}: {word:?}", conn.remote);
                self.note_word(conn);
                self.answer(word, conn)
            }
        };
        // The answer does not count itself.
        self.note_answer(conn);
        FirstBytes::Answered(answer)
    }

    fn answer(&self, word: Word, conn: &Conn) -> String {
        let standing = self.standing();
        match word {
            Word::Envi | Word::Gtmk | Word::Ruok | Word::Stmk(_) => {}
            Word::Isro if !standing.serving => return "null".to_owned(),
            Word::Hash if !standing.serving => return NOT_SERVING.trim_end().to_owned(),
            _ if !standing.serving => return NOT_SERVING.to_owned(),
            _ => {}
        }
        match word {
            Word::Conf => conf(&self.config, self.address.port(), &self.directories()),
            Word::Cons => self.clients(conn.id).iter().map(Client::full).collect::<String>() + "\n",
            Word::Crst => {
                self.reset_connections();
                "Connection stats reset.\n".to_owned()
            }
            Word::Dirs => self.directories().sizes(),
            Word::Dump => self.dump(standing.learns()).text(),
            Word::Envi => environment::text(&environment::entries()),
            Word::Gtmk => self.trace_mask.load(Relaxed).to_string(),
            Word::Hash => self.digests(),
            Word::Isro => if standing.read_only { "ro" } else { "rw" }.to_owned(),
            Word::Mntr => self.figures(&standing).mntr(),
            Word::Ruok => "imok".to_owned(),
            Word::Srst => {
                self.reset_stats();
                "Server stats reset.\n".to_owned()
            }
            Word::Srvr => format!("{}{}", status::version_line(), self.status(&standing)),
            Word::Stat => {
                let clients: String = self.clients(conn.id).iter().map(Client::brief).collect();
                let version = status::version_line();
                format!("{version}Clients:\n{clients}\n{}", self.status(&standing))
            }
            Word::Stmk(mask) => {
                self.trace_mask.store(mask, Relaxed);
                mask.to_string()
            }
            Word::Wchc => watches::by_session(&self.watches_by_session()),
            Word::Wchp => watches::by_path(&self.watches_by_path()),
            Word::Wchs => watches::summary(self.watches.lock().summary()),
        }
    }

    /// Forgets what was counted of connections.
    pub(super) fn reset_connections(&self) {
        self.conns.all().iter().for_each(|conn| conn.stats.reset());
    }

    /// Forgets what was counted of the server.
    pub(super) fn reset_stats(&self) {
        self.stats.reset();
    }

    /// The digests of the tree after earlier transactions.
    fn digests(&self) -> String {
        let log: Vec<_> = self.tree.read().digest_log().collect();
        let mut text = String::new();
        for (zxid, digest) in log {
            let _ = writeln!(text, "{:x}: {digest}", zxid.0);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn enabled(words: &str) -> FourLetterWords {
        let flags = [("4lw.commands.whitelist", words), ("dataDir", "data")];
        let sources = flags
            .into_iter()
            .fold(Sources::built_in(), |sources, (key, value)| sources.with_flag(key, value));
        Config::load(&sources).expect("a configuration").four_letter
    }

    #[test]
    fn every_word_of_the_configuration_has_an_answer() {
        let all = enabled("*");
        for word in FourLetterWords::ALL {
            let input = [word.as_bytes(), &[0; 8]].concat();
            assert!(matches!(read(&input, &all), Reading::Word(_)), "{word}");
        }
    }

    #[test]
    fn only_what_is_in_the_whitelist_is_answered() {
        let some = enabled("ruok, mntr");
        assert_eq!(read(b"ruok", &some), Reading::Word(Word::Ruok));
        assert_eq!(read(b"mntr\r\n", &some), Reading::Word(Word::Mntr));
        assert_eq!(read(b"srvr", &some), Reading::Word(Word::Srvr));
        assert_eq!(read(b"stat", &some), Reading::Forbidden("stat"));
        // Without waiting for the argument.
        assert_eq!(read(b"stmk", &some), Reading::Forbidden("stmk"));
        assert_eq!(read(&TELNET_CLOSE, &some), Reading::Forbidden("telnet close"));
    }

    #[test]
    fn everything_else_is_a_frame() {
        let all = enabled("*");
        for other in [&b""[..], b"ruo", b"RUOK", b"lead", b"\0\0\0\x2d", &TELNET_CLOSE] {
            assert_eq!(read(other, &all), Reading::Other, "{other:?}");
        }
    }

    #[test]
    fn the_mask_may_arrive_in_pieces() {
        let all = enabled("*");
        let input = b"stmk\0\0\0\0\0\0\x01\x32";
        for length in 4..12 {
            assert_eq!(read(&input[..length], &all), Reading::Unfinished, "{length}");
        }
        assert_eq!(read(input, &all), Reading::Word(Word::Stmk(306)));
    }
}
