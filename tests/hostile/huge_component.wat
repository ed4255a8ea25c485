;; 200 MB: this good guest, and as much of nothing behind it.
