(component
  ;; Asks for HTTP.
  (import "wasi:http/outgoing-handler@0.2.3" (instance)))
