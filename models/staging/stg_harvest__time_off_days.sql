{#- Days of approved time off. Harvest's words for the other states are not documented. -#}
select
  days.id as time_off_day_id,
  requests.user__id as user_id,
  days.date as day,
  days.hours,
  days.day_fraction
from {{ harvest.harvest_table('pto_requests__request_days') }} as days
inner join {{ harvest.harvest_table('pto_requests') }} as requests
  on requests._dlt_id = days._dlt_parent_id
where requests.deleted_at is null and lower(requests.status) = 'approved'
