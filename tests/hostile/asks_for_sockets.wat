(component
  ;; Asks for the network.
  (import "wasi:sockets/tcp@0.2.3" (instance)))
