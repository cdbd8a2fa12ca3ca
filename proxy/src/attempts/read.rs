//! What was read of a body before its head goes on.

use bytes::{Bytes, BytesMut};

/// What was read of a body before its head goes on. Most bodies that are looked at come in one
/// piece, which is not copied.
#[derive(Debug, Default)]
pub(super) struct Read {
    first: Bytes,
    /// All of it, once there is a second piece.
    joined: BytesMut,
}

impl Read {
    pub(super) fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() {
            &self.first
        } else {
            &self.joined
        }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.joined.extend_from_slice(&piece);
    }

    /// For more to be read behind it.
    pub(super) fn joined(self) -> BytesMut {
        if self.joined.is_empty() {
            BytesMut::from(self.first)
        } else {
            self.joined
        }
    }

    pub(super) fn freeze(self) -> Bytes {
        if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_and_a_single_one_is_not_copied() {
        for pieces in [&[][..], &["a"], &["a", "bc"], &["", "a", "", "b"]] {
            let read = || {
                let mut read = Read::default();
                for piece in pieces {
                    read.push(Bytes::from_static(piece.as_bytes()));
                }
                read
            };
            let whole = pieces.concat();
            assert_eq!(read().bytes(), whole.as_bytes());
            assert_eq!(read().freeze(), whole);
            assert_eq!(read().joined(), whole);
        }
        let piece = Bytes::from_static(b"a");
        let mut read = Read::default();
        read.push(piece.clone());
        assert_eq!(read.freeze().as_ptr(), piece.as_ptr());
    }
}
