;; Asks the host the same thing without end.
  (import "airlock:guest/client@0.1.0" "remaining-ms" (func $left (result i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (loop $again (drop (call $left)) (br $again))
    (unreachable))
