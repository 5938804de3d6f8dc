"""The only part that touches the network: SSH connections, the channel on them, and rsync."""
