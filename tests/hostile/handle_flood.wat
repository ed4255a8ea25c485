(component
  ;; Makes handles to a resource of its own until it gets none, in a component inside of a good guest.
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $m
    (import "host" "new" (func $new (param i32) (result i32)))
    (func $start (loop $again (drop (call $new (i32.const 1))) (br $again)))
    (start $start))
  (core instance $host (export "new" (func $new)))
  (core instance (instantiate $m (with "host" (instance $host))))
)
