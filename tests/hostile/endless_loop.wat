;; Computes without end.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (loop $again (br $again))
    (unreachable))
