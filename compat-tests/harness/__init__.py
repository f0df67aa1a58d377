"""What all compatibility tests share: installing clients, starting servers, counting results."""
