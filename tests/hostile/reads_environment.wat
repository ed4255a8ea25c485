(component
  ;; Asks for the environment and its arguments.
  (import "wasi:cli/environment@0.2.3" (instance)))
