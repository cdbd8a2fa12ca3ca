//! What is wrong with the files and names that TLS was given.

use std::error::Error;
use std::fmt;

/// Which part of the settings something is wrong with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// The authorities that peers are verified by.
    Ca,
    /// The certificate of the pair at this position.
    Cert(usize),
    /// The authorities that clients are verified by.
    ClientCa,
    /// The key of the pair at this position.
    Key(usize),
    /// The name that peers are verified by.
    ServerName,
    /// None in particular.
    Whole,
}

/// One thing that is wrong. Never holds a part of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// With what.
    pub place: Place,
    /// What, as a sentence without a full stop.
    pub why: String,
}

impl Flaw {
    pub(super) fn new(place: Place, why: impl Into<String>) -> Self {
        Self {
            place,
            why: why.into(),
        }
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaws(pub Vec<Flaw>);

impl From<Flaw> for Flaws {
    fn from(flaw: Flaw) -> Self {
        Self(vec![flaw])
    }
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, flaw) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&flaw.why)?;
        }
        Ok(())
    }
}

impl Error for Flaws {}
