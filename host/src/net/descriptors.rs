//! How many connections the system lets this process have open at one time.

/// Open files that are no client's connection: those to Dify, the registry, what guests map.
const RESERVED: u64 = 256;

/// Raises the process's own bound on open files as far as `connections` need, and says how many of them there is room for.
#[must_use]
pub fn room_for(connections: usize) -> usize {
    let wanted = (connections as u64).saturating_add(RESERVED);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(files) if files < wanted => {
            let room = room(files);
            tracing::warn!(
                files,
                connections = room,
                "the system allows this process fewer open files than AIRLOCK_CONNECTIONS needs: raise its hard limit \
                 (ulimit -Hn; in a container, ulimits.nofile)"
            );
            room
        }
        Ok(_) => connections,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be read");
            connections
        }
    }
}

fn room(files: u64) -> usize {
    let room = files.saturating_sub(RESERVED).max(files / 2).max(1);
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_allows_is_shared_with_the_rest_of_the_process() {
        assert_eq!(room(20_000), 19_744);
        assert_eq!(room(256), 128);
        assert_eq!(room(1), 1);
    }
}
