//! Listening on a socket in the file system.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The file of a listening socket. Dropping it deletes the file, unless another has taken its
/// place; before the socket is closed, since then its number may be another's.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number.
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Somebody else has deleted it, or it lies in a directory that we may not change any
            // more; whoever listens there next replaces it.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Listens at a path. Whoever may connect is said by the mode, whatever the umask is.
///
/// # Errors
/// Somebody listens there, a file that is no socket is there, or the system says no.
pub(super) fn bind(path: &Path, mode: u32, backlog: i32) -> io::Result<(SocketFile, UnixListener)> {
    let address = SockAddr::unix(path)?;
    make_way(path, &address)?;
    let socket = stream()?;
    socket.bind(&address)?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(path)?,
    };
    // Nobody can connect before it listens.
    set_mode(path, mode)?;
    socket.listen(backlog)?;
    Ok((file, socket.into()))
}

/// Says who may connect.
///
/// # Errors
/// What the operating system says.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Deletes the socket of a process that is gone: the system leaves it behind, and takes nobody
/// else at its path.
fn make_way(path: &Path, address: &SockAddr) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        let other = "there is a file that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, other));
    }
    match stream()?.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Somebody listens, and has more clients waiting than fit.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::AddrInUse.into())
        }
        Err(error) => Err(error),
        Ok(()) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn stream() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &Path) -> Option<io::ErrorKind> {
        bind(path, 0o600, 1).err().map(|error| error.kind())
    }

    #[test]
    fn a_socket_comes_and_goes_with_who_listens() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.sock");
        // As a process leaves it that was killed.
        drop(UnixListener::bind(&path).unwrap());
        let (file, listener) = bind(&path, 0o622, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o622);
        assert_eq!(
            kind(&path),
            Some(io::ErrorKind::AddrInUse),
            "somebody listens"
        );
        // Not even when no more clients fit.
        let waiting: Vec<_> = std::iter::repeat_with(|| stream().unwrap())
            .take_while(|client| client.connect(&SockAddr::unix(&path).unwrap()).is_ok())
            .collect();
        assert_eq!(kind(&path), Some(io::ErrorKind::AddrInUse), "and is busy");
        drop(waiting);
        fs::remove_file(&path).unwrap();
        let other = bind(&path, 0o600, 1).unwrap();
        drop((file, listener));
        assert!(path.exists(), "it is no longer that one's");
        drop(other);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("precious");
        fs::write(&path, "x").unwrap();
        assert_eq!(kind(&path), Some(io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
}
