(ns suite.tutorial
  "The three programs of a coordination tutorial: a leader, a lock, a configuration."
  (:require [suite.world :refer [check create data-of children set-data stat text]])
  (:import (org.apache.zookeeper CreateMode KeeperException$BadVersionException
                                 KeeperException$NodeExistsException Watcher ZooKeeper)
           (org.apache.zookeeper.data Stat)))

(defn lead
  "Becomes the leader by an ephemeral znode, waiting for the one there is to go."
  [^ZooKeeper zk path name]
  (loop []
    (let [won (try (create zk path name CreateMode/EPHEMERAL) true
                   (catch KeeperException$NodeExistsException _ false))]
      (when-not won
        (let [gone (promise)]
          (when (.exists zk path (reify Watcher (process [_ _] (deliver gone true))))
            @gone)
          (recur))))))

(defn leader [zk path] (data-of zk path))

(defn lock
  "Takes a lock: a place in the line, and a watch on the one before. Gives the place."
  [^ZooKeeper zk path]
  (let [own (create zk (str path "/place-") "" CreateMode/EPHEMERAL_SEQUENTIAL)]
    (loop []
      (let [before (last (take-while #(not= (str path "/" %) own) (children zk path)))]
        (if-not before
          own
          (let [gone (promise)]
            (when (.exists zk (str path "/" before)
                           (reify Watcher (process [_ _] (deliver gone true))))
              @gone)
            (recur)))))))

(defn unlock [^ZooKeeper zk place] (.delete zk place -1))

(defn configure
  "Changes a configuration by a function of its text, whoever else does so at the same time."
  [^ZooKeeper zk path change]
  (loop []
    (let [found (Stat.)
          now (String. (.getData zk path false found) "UTF-8")
          done (try (.setData zk path (text (change now)) (.getVersion found))
                    (catch KeeperException$BadVersionException _ nil))]
      (or done (recur)))))

(defn created-once
  "Creates a znode that others may have created."
  [zk path data]
  (try (create zk path data)
       (catch KeeperException$NodeExistsException _ nil))
  (check (stat zk path) path "is not there"))
