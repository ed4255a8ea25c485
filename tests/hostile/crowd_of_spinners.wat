;; Computes without end, in twice as many calls as there are threads for guests.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (loop $again (br $again))
    (unreachable))
